internal import Glibc

/// The one way to read a file that somebody names: whole, bounded, and without waiting for a writer that may never come.
///
/// Only regular files are read. A pipe is read where a descriptor of this process is named (`-`, `/dev/stdin`, or
/// `/dev/fd/63` as shells write it for `<(…)`): its writer is there already.
public enum InputFile {
    /// Why a file was not read, as the end of a sentence.
    public struct Problem: Error, Sendable {
        public let message: String
        /// There is no such file.
        public var isMissing = false
        /// The last component is a symbolic link, and those were not to be followed.
        public var isLink = false

        init(_ message: String) { self.message = message }

        init(errno code: Int32) {
            message = String(cString: strerror(code))
            isMissing = code == ENOENT
            isLink = code == ELOOP
        }
    }

    /// - Parameters:
    ///   - path: `-` is standard input.
    ///   - limit: most bytes to accept; a larger file is refused before it is read.
    ///   - followsLink: whether the last component may be a symbolic link.
    public static func read(_ path: String, limit: Int, followsLink: Bool = true) throws(Problem) -> [UInt8] {
        if path == "-" { return try read(descriptor: STDIN_FILENO, limit: limit, takesPipe: true) }
        // Not blocking: opening a named pipe would wait for somebody to write to it.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (followsLink ? 0 : O_NOFOLLOW))
        guard descriptor >= 0 else {
            // What the system says of a socket does not name it.
            throw errno == ENXIO ? Problem("is not a regular file") : Problem(errno: errno)
        }
        defer { close(descriptor) }
        let isOwn = path.hasPrefix("/dev/fd/") || path == "/dev/stdin"
        return try read(descriptor: descriptor, limit: limit, takesPipe: isOwn)
    }

    /// The rest of a file that is open.
    ///
    /// - Parameter takesPipe: whether it may be something else than a regular file, of which the end is waited for.
    public static func read(
        descriptor: Int32, limit: Int, takesPipe: Bool = false
    ) throws(Problem) -> [UInt8] {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Problem(errno: errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: if Int(status.st_size) > limit { throw tooLarge(limit) }
        case S_IFDIR: throw Problem("is a folder")
        default:
            guard takesPipe else { throw Problem("is not a regular file") }
            // A pipe that was opened again by its name in /dev/fd.
            let flags = fcntl(descriptor, F_GETFL)
            if flags & O_NONBLOCK != 0, descriptor != STDIN_FILENO {
                _ = fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK)
            }
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = buffer.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Problem(errno: errno) }
            if count == 0 { return bytes }
            // The file may grow while it is read.
            guard bytes.count + count <= limit else { throw tooLarge(limit) }
            bytes.append(contentsOf: buffer[..<count])
        }
    }

    private static func tooLarge(_ limit: Int) -> Problem {
        Problem("is larger than " + (limit < 1 << 20 ? "\(limit >> 10) KiB" : "\(limit >> 20) MiB"))
    }
}
