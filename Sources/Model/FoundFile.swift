/// A file of a job as it lies on a worker.
public struct FoundFile: Equatable, Sendable {
    /// 32 hexadecimal digits.
    public var md5: String
    public var digest: Digest
    /// In bytes.
    public var size: Int
    /// Its mode, such as 0o755.
    public var mode: Int

    public init(md5: String, digest: Digest, size: Int, mode: Int) {
        self.md5 = md5
        self.digest = digest
        self.size = size
        self.mode = mode
    }

    /// Whether everybody on the worker can read it. What others may not read may hold secrets.
    public var isForAll: Bool { mode & 0o007 != 0 }
}
