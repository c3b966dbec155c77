internal import Glibc
public import Model

/// Reading from the file system, without following what should not be followed.
public enum Files {
    /// Why something could not be read, as the end of a sentence.
    public struct Problem: Error {
        public let message: String

        /// The file or folder does not exist.
        public let isMissing: Bool

        init(_ message: String) {
            self.message = message
            isMissing = false
        }

        init(errno code: Int32) {
            message = String(cString: strerror(code))
            isMissing = code == ENOENT || code == ENOTDIR
        }
    }

    /// What `lstat` says of a path.
    public enum Kind {
        case file(isExecutable: Bool, size: Int)
        case directory
        case symlink
        /// A socket, device or named pipe.
        case other
    }

    public static func kind(_ path: String) throws(Problem) -> Kind {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw Problem(errno: errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file(isExecutable: status.st_mode & S_IXUSR != 0, size: Int(status.st_size))
        case S_IFDIR: return .directory
        case S_IFLNK: return .symlink
        default: return .other
        }
    }

    /// The names in a folder as bytes, sorted; `.` and `..` left out.
    public static func names(in folder: String) throws(Problem) -> [[UInt8]] {
        guard let directory = opendir(folder) else { throw Problem(errno: errno) }
        defer { closedir(directory) }
        var names: [[UInt8]] = []
        errno = 0
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != [0x2e], name != [0x2e, 0x2e] { names.append(name) }
            errno = 0
        }
        if errno != 0 { throw Problem(errno: errno) }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// The bytes of a file of at most `limit` bytes.
    public static func read(_ path: String, limit: Int) throws(Problem) -> [UInt8] {
        var bytes: [UInt8] = []
        try eachChunk(of: path) { chunk throws(Problem) in
            if bytes.count + chunk.count > limit { throw Problem("is larger than \(limit >> 20) MiB") }
            bytes.append(contentsOf: chunk)
        }
        return bytes
    }

    /// Digest and size of a file; memory does not grow with the file.
    public static func digest(_ path: String) throws(Problem) -> (digest: Digest, size: Int) {
        var hasher = DigestHasher()
        var size = 0
        try eachChunk(of: path) { chunk throws(Problem) in
            hasher.update(chunk)
            size += chunk.count
        }
        return (hasher.finish(), size)
    }

    /// The text of a symbolic link.
    public static func target(ofLink path: String) throws(Problem) -> [UInt8] {
        var failure: Int32 = 0
        let target = [UInt8](unsafeUninitializedCapacity: Int(PATH_MAX)) { buffer, count in
            let read = buffer.withMemoryRebound(to: CChar.self) { buffer in
                buffer.baseAddress.map { readlink(path, $0, buffer.count) } ?? 0
            }
            failure = read < 0 ? errno : 0
            count = max(read, 0)
        }
        if failure != 0 { throw Problem(errno: failure) }
        return target
    }

    private static func eachChunk(
        of path: String, _ body: (UnsafeRawBufferPointer) throws(Problem) -> Void
    ) throws(Problem) {
        // Not blocking: opening a named pipe would wait for somebody to write to it.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Problem(errno: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Problem(errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw Problem("is not a regular file") }
        let size = min(max(Int(status.st_size), 4095) + 1, 1 << 20)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if count == 0 { return }
            if count > 0 {
                try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            } else if errno != EINTR {
                throw Problem(errno: errno)
            }
        }
    }
}
