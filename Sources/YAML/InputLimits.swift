/// What a reader takes at most, so that a file from a stranger costs a bounded amount of memory and time.
public struct InputLimits: Sendable {
    /// Bytes of the whole input.
    public var bytes: Int
    /// Collections inside each other.
    public var depth: Int
    /// Scalars, keys and collections together.
    public var nodes: Int
    /// Bytes of one scalar, without its escapes.
    public var scalarBytes: Int

    public init(bytes: Int, depth: Int, nodes: Int, scalarBytes: Int) {
        self.bytes = bytes
        self.depth = depth
        self.nodes = nodes
        self.scalarBytes = scalarBytes
    }

    /// About twice what a plan of 100,000 allocations needs: 64 MiB, 32 levels, 4 million nodes, 1 MiB a scalar. The
    /// worst input within it takes less than 500 MB.
    public static let standard = InputLimits(bytes: 64 << 20, depth: 32, nodes: 4_000_000, scalarBytes: 1 << 20)
}
