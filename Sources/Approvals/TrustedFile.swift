internal import Glibc
internal import Model

/// A file that is read at once, whole and bounded, by a path on which nothing is followed.
struct TrustedFile: Sendable {
    let bytes: [UInt8]
    /// When it was last written.
    let writtenAt: Timestamp

    /// Why a file was not taken, as the end of a sentence.
    struct Problem: Error {
        let message: String
        var isMissing = false

        init(_ message: String) { self.message = message }

        init(errno code: Int32) {
            message =
                switch code {
                case ELOOP: "is a symbolic link"
                // What the system says of a socket does not name it.
                case ENXIO: "is not a regular file"
                default: String(cString: strerror(code))
                }
            isMissing = code == ENOENT
        }
    }

    /// Reads a file that only certain users can have written or put in the place of another: it and every folder above
    /// it belong to one of them, and nobody else may write there (but add files of their own, as in `/tmp`).
    ///
    /// - Parameters:
    ///   - path: absolute, without `.`, `..` and symbolic links.
    ///   - owners: user ids.
    static func read(_ path: String, owners: Set<UInt32>, limit: Int) throws(Problem) -> TrustedFile {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
        guard path.hasPrefix("/"), let name = parts.last, parts.allSatisfy({ !["", ".", ".."].contains($0) }) else {
            throw Problem("has to be named by an absolute path without `.`, `..` and `//`")
        }
        var folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        var shown = "/"
        defer { if folder >= 0 { close(folder) } }
        for part in parts.dropLast() {
            try check(folder, shown, owners: owners)
            let next = openat(folder, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            let code = errno
            shown += shown == "/" ? part : "/" + part
            // With O_DIRECTORY the kernel says "not a directory" of a link, too.
            guard next >= 0 else {
                if code == ENOENT { throw Problem(errno: code) }
                throw Problem("lies below \(shown), which is a symbolic link or cannot be read")
            }
            close(folder)
            folder = next
        }
        try check(folder, shown, owners: owners)
        return try read(name, in: folder, limit: limit) { status throws(Problem) in
            try check(status, owners: owners)
        }
    }

    /// Reads a file of a folder that is open.
    ///
    /// - Parameter check: throws where the file is not to be taken.
    static func read(
        _ name: String, in folder: Int32, limit: Int, check: (stat) throws(Problem) -> Void = { _ throws(Problem) in }
    ) throws(Problem) -> TrustedFile {
        // Not blocking: opening a named pipe would wait for somebody to write to it.
        let file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else { throw Problem(errno: errno) }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw Problem(errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw Problem("is not a regular file") }
        try check(status)
        let bytes: [UInt8]
        do throws(InputFile.Problem) { bytes = try InputFile.read(descriptor: file, limit: limit) } catch {
            throw Problem(error.message)
        }
        return TrustedFile(
            bytes: bytes,
            writtenAt: Timestamp(
                milliseconds: Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000))
    }

    private static func check(_ folder: Int32, _ shown: String, owners: Set<UInt32>) throws(Problem) {
        var status = stat()
        guard folder >= 0, fstat(folder, &status) == 0 else { throw Problem(errno: errno) }
        guard owners.contains(status.st_uid) || status.st_uid == 0 else {
            throw Problem("lies below \(shown), which belongs to the user \(status.st_uid)")
        }
        if status.st_mode & 0o022 != 0, status.st_mode & S_ISVTX == 0 {
            throw Problem("lies below \(shown), where others may write")
        }
    }

    private static func check(_ status: stat, owners: Set<UInt32>) throws(Problem) {
        guard owners.contains(status.st_uid) else {
            throw Problem("belongs to the user \(status.st_uid), and has to belong to root")
        }
        if status.st_mode & 0o022 != 0 { throw Problem("may be written by others") }
    }
}
