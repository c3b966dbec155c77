internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Bytes that are pulled when they are needed, so that a large file never is in memory as a whole.
public struct ByteSource: Sendable {
    /// Begins to read from the start; the result gives one chunk a call and `nil` at the end.
    public let open: @Sendable () throws -> Reader

    /// Gives the next bytes, and nil when there are no more.
    public typealias Reader = @Sendable () async throws -> [UInt8]?

    public init(open: @escaping @Sendable () throws -> Reader) {
        self.open = open
    }

    /// No bytes.
    public static let empty = ByteSource { { nil } }

    /// These bytes, all at once.
    public static func bytes(_ bytes: [UInt8]) -> ByteSource {
        ByteSource {
            let rest = Once(bytes)
            return { rest.take() }
        }
    }

    /// These bytes, then those of this source.
    func preceded(by head: [UInt8]) -> ByteSource {
        ByteSource {
            let first = Once(head)
            let rest = try open()
            return {
                if let bytes = first.take() { return bytes }
                return try await rest()
            }
        }
    }

    /// The bytes of a file of this machine, read in pieces of 256 KiB.
    public static func file(_ path: String) -> ByteSource {
        ByteSource {
            let file = try OpenFile(path: path)
            return { try file.read(upTo: 1 << 18) }
        }
    }

    /// What could not be read, and why.
    public struct ReadError: Error, Sendable, CustomStringConvertible {
        /// The file that could not be read.
        public var path: String
        /// For people.
        public var reason: String
        public var description: String { "\(path): \(reason)" }
    }
}

/// A value that is given once.
private final class Once: Sendable {
    private let value: Mutex<[UInt8]?>

    init(_ bytes: [UInt8]) { value = Mutex(bytes.isEmpty ? nil : bytes) }

    func take() -> [UInt8]? {
        value.withLock { value in
            defer { value = nil }
            return value
        }
    }
}

/// A file that is closed with its last reference.
private final class OpenFile: Sendable {
    private let descriptor: Int32
    private let path: String

    init(path: String) throws(ByteSource.ReadError) {
        self.path = path
        descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ByteSource.ReadError(path: path, reason: String(cString: strerror(errno))) }
    }

    deinit { close(descriptor) }

    func read(upTo count: Int) throws(ByteSource.ReadError) -> [UInt8]? {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            var n: Int
            repeat { n = Glibc.read(descriptor, buffer.baseAddress, count) } while n < 0 && errno == EINTR
            if n < 0 { failure = errno }
            filled = max(n, 0)
        }
        guard failure == 0 else { throw ByteSource.ReadError(path: path, reason: String(cString: strerror(failure))) }
        return bytes.isEmpty ? nil : bytes
    }
}
