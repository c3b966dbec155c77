internal import Glibc

/// Reads and appends to small files, without a thread hop; errors come as sentences.
enum SmallFile {
    enum Fault: Error {
        case missing
        case tooLarge(limit: Int)
        case notRegular
        /// The user's own, and others may read it.
        case open(mode: UInt32)
        case system(Int32)

        var reason: String {
            switch self {
            case .missing: "the file does not exist"
            case .tooLarge(let limit): "the file is larger than \(limit) bytes"
            case .notRegular: "this is not a regular file"
            case .open(let mode):
                "other users of this host may read it (mode \(String(mode, radix: 8))), so it is not used, as ssh does not use it"
            case .system(let code): systemMessage(code)
            }
        }
    }

    /// - Parameter isPrivate: refuses a file of this user that others may read or write. As with ssh, a file of another user is
    ///   not looked at: its mode is for its owner to decide.
    static func read(_ path: String, limit: Int, isPrivate: Bool = false) -> Result<[UInt8], Fault> {
        // Not blocking: opening a named pipe would wait for somebody to write to it.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            return .failure(errno == ENOENT ? .missing : errno == ENXIO ? .notRegular : .system(errno))
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return .failure(.system(errno)) }
        let kind = status.st_mode & S_IFMT
        guard kind == S_IFREG else { return .failure(kind == S_IFDIR ? .system(EISDIR) : .notRegular) }
        guard Int(status.st_size) <= limit else { return .failure(.tooLarge(limit: limit)) }
        if isPrivate, status.st_uid == getuid(), status.st_mode & 0o077 != 0 {
            return .failure(.open(mode: status.st_mode & 0o7777))
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return .failure(.system(errno)) }
            if count == 0 { return .success(bytes) }
            bytes.append(contentsOf: chunk[..<count])
            guard bytes.count <= limit else { return .failure(.tooLarge(limit: limit)) }
        }
    }

    /// Appends a line in one write, behind a line break where the file's last line has none.
    static func appendLine(_ line: String, to path: String) -> Fault? {
        let descriptor = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return .system(errno) }
        defer { close(descriptor) }
        var bytes = Array(line.utf8)
        var last: UInt8 = 0
        let end = lseek(descriptor, 0, SEEK_END)
        if end > 0, pread(descriptor, &last, 1, end - 1) == 1, last != UInt8(ascii: "\n") {
            bytes.insert(UInt8(ascii: "\n"), at: 0)
        }
        guard write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else {
            return .system(errno)
        }
        return nil
    }
}

/// One word of a command that a person copies.
func copiedWord(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }

/// The system's text for an error number, with a small first letter, to stand inside a sentence.
func systemMessage(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
    let message = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return message.prefix(1).lowercased() + message.dropFirst()
}
