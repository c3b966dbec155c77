/// The last bytes of a stream, kept in bounded memory: at most twice `limit`.
public struct TailBuffer: Sendable {
    private var kept: [UInt8] = []
    private let limit: Int

    /// - Parameter limit: bytes, at least 0.
    public init(limit: Int) { self.limit = limit }

    /// Takes in more of the stream.
    public mutating func append(_ bytes: some Collection<UInt8>) {
        kept.append(contentsOf: bytes.suffix(limit))
        // Cut at twice the limit, so that each byte is moved at most once on average.
        if kept.count > 2 * limit { kept.removeFirst(kept.count - limit) }
    }

    /// The last bytes of the stream, at most `limit`.
    public var bytes: [UInt8] { Array(kept.suffix(limit)) }
}
