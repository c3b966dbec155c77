package import Glibc
internal import Model
internal import ThisHost
internal import UseCases

/// Files that commands are given by name: plans and `maand.conf`.
package enum HostFiles {
    /// Why a file could not be read or written, as the end of a sentence.
    package struct Problem: Error {
        package let message: String

        /// There is no such file.
        var isMissing = false

        package init(_ message: String) { self.message = message }

        package init(errno code: Int32) {
            message = String(cString: strerror(code))
            isMissing = code == ENOENT
        }
    }

    /// What became of `write`.
    package enum Written {
        case written
        /// The file has these bytes already.
        case unchanged
        /// Another file is there, and it was not to be replaced.
        case refused
    }

    /// Reads a file that a command was given by name; see `InputFile.read`.
    ///
    /// - Parameters:
    ///   - path: `-` is standard input.
    ///   - limit: most bytes to accept.
    ///   - name: begins the message in place of the path.
    ///   - status: the exit code if it cannot be read.
    ///   - note: what to do then.
    /// - Throws: `Failure`.
    package static func read(
        _ path: String, limit: Int, as name: String? = nil, _ status: Exit = .invalidInput, note: String? = nil
    ) throws -> [UInt8] {
        do throws(InputFile.Problem) {
            return try InputFile.read(path, limit: limit)
        } catch {
            throw Failure(status, code: .fileUnreadable, "\(name ?? path) cannot be read: \(error.message)", note)
        }
    }

    /// Writes a file so that it is whole or absent at any instant, and durable when this returns.
    ///
    /// A symbolic link stays, and the file that it leads to is written; a link of another user is refused, who could lead
    /// the bytes over any file of this one. A device or a pipe gets the bytes as they are.
    /// Others may read a file, as far as the user's umask lets them, since people hand plans on; nobody else may write it.
    package static func write(_ bytes: [UInt8], to path: String, overwrite: Bool) throws(Problem) -> Written {
        let path = try followed(path)
        var status = stat()
        if lstat(path, &status) == 0 {
            switch status.st_mode & S_IFMT {
            case S_IFREG: break
            case S_IFDIR: throw Problem(errno: EISDIR)
            default:
                try writeThrough(bytes, to: path)
                return .written
            }
        }
        return try replace(path, by: bytes, overwrite: overwrite)
    }

    /// Where a path's symbolic links lead, whether there is a file yet or not.
    private static func followed(_ path: String) throws(Problem) -> String {
        var path = path
        // As many as Linux follows, see path_resolution(7).
        for _ in 0..<40 {
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
            let count = readlink(path, &buffer, buffer.count)
            guard count >= 0 else { return path }
            var status = stat()
            guard lstat(path, &status) == 0, [0, geteuid()].contains(status.st_uid) else {
                throw Problem("\(path) is a symbolic link of another user; name a file in a folder of your own")
            }
            let target = String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
            let folder = path.lastIndex(of: "/").map { path[...$0] } ?? ""
            path = target.hasPrefix("/") ? target : folder + target
        }
        throw Problem(errno: ELOOP)
    }

    private static func writeThrough(_ bytes: [UInt8], to path: String) throws(Problem) {
        let descriptor = try openForWriting(path, 0)
        defer { close(descriptor) }
        try writeAll(bytes, to: descriptor)
    }

    /// Opens a file or a pipe at its end, and creates a file for this user alone if there is none.
    ///
    /// - Returns: a descriptor that the caller closes; its writes wait for a reader that is slow.
    /// - Throws: `Problem` if nobody reads the pipe, or the file cannot be written.
    package static func openForAppending(_ path: String) throws(Problem) -> Int32 {
        do throws(Problem) {
            return try openForWriting(path, O_APPEND)
        } catch  where error.isMissing {
            return try openForWriting(path, O_APPEND | O_CREAT | O_EXCL)
        }
    }

    /// A pipe that nobody reads is no place to wait.
    private static func openForWriting(_ path: String, _ flags: Int32) throws(Problem) -> Int32 {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | flags, 0o600)
        guard descriptor >= 0 else {
            throw errno == ENXIO ? Problem("it is a pipe that nobody reads, or a socket") : Problem(errno: errno)
        }
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
        return descriptor
    }

    private static func replace(_ path: String, by bytes: [UInt8], overwrite: Bool) throws(Problem) -> Written {
        if access(path, F_OK) == 0, !overwrite {
            return (try? InputFile.read(path, limit: bytes.count + 1)) == bytes ? .unchanged : .refused
        }
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[...$0]) } ?? "./"
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        let temporary = "\(folder).\(name).\(getpid()).tmp"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Problem(errno: errno) }
        do throws(Problem) {
            if fchmod(descriptor, 0o644 & ~Umask.ofUser) != 0 { throw Problem(errno: errno) }
            try writeAll(bytes, to: descriptor)
            if fsync(descriptor) != 0 { throw Problem(errno: errno) }
        } catch {
            close(descriptor)
            unlink(temporary)
            throw error
        }
        close(descriptor)
        // A link never replaces what somebody else put there meanwhile.
        if overwrite ? rename(temporary, path) != 0 : link(temporary, path) != 0 {
            let code = errno
            unlink(temporary)
            if code == EEXIST { return .refused }
            throw Problem(errno: code)
        }
        if !overwrite { unlink(temporary) }
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw Problem(errno: errno) }
        defer { close(directory) }
        if fsync(directory) != 0 { throw Problem(errno: errno) }
        return .written
    }

    package static func writeAll(_ bytes: [UInt8], to descriptor: Int32) throws(Problem) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                throw Problem(errno: errno)
            }
        }
    }

    /// Whether a folder has no entry but the one named.
    package static func isEmpty(_ folder: String, besides exception: String) throws(Problem) -> Bool {
        guard let directory = opendir(folder) else { throw Problem(errno: errno) }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != [0x2e], name != [0x2e, 0x2e], name != Array(exception.utf8) { return false }
        }
        return true
    }

    /// Creates a folder if it is not there.
    ///
    /// - Returns: false if it is.
    @discardableResult
    package static func createMissingFolder(_ path: String, mode: mode_t) throws(Problem) -> Bool {
        if access(path, F_OK) == 0 { return false }
        try createFolder(path, mode: mode)
        return true
    }

    /// Creates a folder with this mode, less what the user's umask takes away.
    package static func createFolder(_ path: String, mode: mode_t) throws(Problem) {
        if mkdir(path, 0o700) != 0 { throw Problem(errno: errno) }
        if chmod(path, mode & ~Umask.ofUser) != 0 { throw Problem(errno: errno) }
    }
}
