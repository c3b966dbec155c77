/// A path as a file system compares it: two spellings of one character are two names, which Swift's strings hold equal.
public struct PathBytes: Hashable, Sendable {
    public let bytes: [UInt8]

    public init(_ path: String) { bytes = [UInt8](path.utf8) }
    private init(bytes: [UInt8]) { self.bytes = bytes }

    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Without the last component; empty at the top.
    public var folder: PathBytes {
        PathBytes(bytes: bytes.lastIndex(of: UInt8(ascii: "/")).map { [UInt8](bytes[..<$0]) } ?? [])
    }
}
