internal import Glibc
public import Model
internal import YAML

/// Reads what lies below one folder, and nothing through a symbolic link on the way there: what an author of the files may
/// name must not become what somebody else has.
///
/// Paths are relative to the folder, without `.`, `..` and empty components; the empty path is the folder itself, which may
/// be named by a link. Not to be shared between tasks.
public final class Files {
    /// Why something could not be read, as the end of a sentence.
    public struct Problem: Error {
        public let message: String

        /// The file or folder does not exist.
        public let isMissing: Bool

        package init(_ message: String) {
            self.message = message
            isMissing = false
        }

        init(errno code: Int32) {
            // What the system says of a socket does not name it.
            message = code == ENXIO ? "is not a regular file" : String(cString: strerror(code))
            isMissing = code == ENOENT || code == ENOTDIR
        }

        /// - Parameter path: of the link, where it is a folder above what was asked for.
        static func link(above path: String? = nil) -> Problem {
            let rule = "nothing is read through one: put there what it leads to"
            return Problem(path.map { "lies below the symbolic link \($0); \(rule)" } ?? "is a symbolic link; \(rule)")
        }
    }

    /// What there is at a path.
    public enum Kind {
        case file(isExecutable: Bool, size: Int)
        case directory
        case symlink
        /// A socket, device or named pipe.
        case other
    }

    /// The folder.
    public let root: String
    /// The folder that was used last, since files are mostly read folder by folder; below 0 where there is none.
    private var descriptor: Int32 = -1
    private var current = ""

    /// Nothing is opened yet.
    public init(below root: String) { self.root = root }

    deinit { if descriptor >= 0 { close(descriptor) } }

    public func kind(_ path: String) throws(Problem) -> Kind {
        var status = stat()
        let (folder, name) = try place(of: path)
        guard fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { throw Problem(errno: errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file(isExecutable: status.st_mode & S_IXUSR != 0, size: Int(status.st_size))
        case S_IFDIR: return .directory
        case S_IFLNK: return .symlink
        default: return .other
        }
    }

    /// Files of a folder that are probably meant to be some of these, and are not read under their names. None if the folder
    /// cannot be read: that is said elsewhere.
    public func misspelt(in folder: String = "", for known: [String]) -> [(found: String, meant: String)] {
        guard let names = try? names(in: folder).compactMap({ String(validating: $0, as: UTF8.self) }) else {
            return []
        }
        return Suggestion.misspelt(names, for: known).filter { file in
            guard case .file? = try? kind(folder.isEmpty ? file.found : "\(folder)/\(file.found)") else { return false }
            return true
        }
    }

    /// The names in a folder as bytes, sorted; `.` and `..` left out.
    public func names(in path: String) throws(Problem) -> [[UInt8]] {
        let folder = openat(try folder(path), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw Problem(errno: errno) }
        guard let directory = fdopendir(folder) else {
            let problem = Problem(errno: errno)
            close(folder)
            throw problem
        }
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
    public func read(_ path: String, limit: Int) throws(Problem) -> [UInt8] {
        var bytes: [UInt8] = []
        try eachChunk(of: path, limit: limit) { chunk throws(Problem) in bytes.append(contentsOf: chunk) }
        return bytes
    }

    /// Digest and size of a file of at most `limit` bytes; memory does not grow with the file.
    public func digest(_ path: String, limit: Int) throws(Problem) -> (digest: Digest, size: Int) {
        var hasher = DigestHasher()
        var size = 0
        try eachChunk(of: path, limit: limit) { chunk throws(Problem) in
            hasher.update(chunk)
            size += chunk.count
        }
        return (hasher.finish(), size)
    }

    /// The text of a symbolic link.
    public func target(ofLink path: String) throws(Problem) -> [UInt8] {
        let (folder, name) = try place(of: path)
        var failure: Int32 = 0
        let target = [UInt8](unsafeUninitializedCapacity: Int(PATH_MAX)) { buffer, count in
            let read = buffer.withMemoryRebound(to: CChar.self) { buffer in
                buffer.baseAddress.map { readlinkat(folder, name, $0, buffer.count) } ?? 0
            }
            failure = read < 0 ? errno : 0
            count = max(read, 0)
        }
        if failure != 0 { throw Problem(errno: failure) }
        return target
    }

    private func eachChunk(
        of path: String, limit: Int, _ body: (UnsafeRawBufferPointer) throws(Problem) -> Void
    ) throws(Problem) {
        let (folder, name) = try place(of: path)
        // Not blocking: opening a named pipe would wait for somebody to write to it.
        let descriptor = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
        guard descriptor >= 0 else { throw errno == ELOOP ? .link() : Problem(errno: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Problem(errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw Problem("is not a regular file") }
        if Int(status.st_size) > limit { throw Self.tooLarge(limit) }
        let size = min(max(Int(status.st_size), 4095) + 1, 1 << 20)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        defer { buffer.deallocate() }
        var total = 0
        while true {
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if count == 0 { return }
            if count > 0 {
                // It may grow while it is read.
                total += count
                if total > limit { throw Self.tooLarge(limit) }
                try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            } else if errno != EINTR {
                throw Problem(errno: errno)
            }
        }
    }

    private static func tooLarge(_ limit: Int) -> Problem { Problem("is larger than \(limit >> 20) MiB") }

    // MARK: Folders

    /// The folder of a path, open until the next call, and the name in it.
    private func place(of path: String) throws(Problem) -> (folder: Int32, name: String) {
        if path.isEmpty { return (try folder(""), ".") }
        // By bytes: to Swift a slash and an accent that follows it are one character.
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return (try folder(""), path) }
        return (try folder(String(path[..<slash])), String(path[path.utf8.index(after: slash)...]))
    }

    /// Opens a folder component by component, from the one that was used last where it lies below that.
    private func folder(_ path: String) throws(Problem) -> Int32 {
        var rest = path.utf8[...]
        let known = current.isEmpty ? "" : current + "/"
        if descriptor >= 0, path.utf8.elementsEqual(current.utf8) {
            return descriptor
        } else if descriptor >= 0, path.utf8.starts(with: known.utf8) {
            rest = rest.dropFirst(known.utf8.count)
        } else {
            if descriptor >= 0 { close(descriptor) }
            current = ""
            descriptor = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard descriptor >= 0 else { throw Problem(errno: errno) }
        }
        for part in rest.split(separator: UInt8(ascii: "/")) {
            let name = String(Substring(part))
            let shown = current.isEmpty ? name : current + "/" + name
            let next = openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard next >= 0 else {
                let code = errno
                var status = stat()
                // With O_DIRECTORY the kernel says "not a directory" of a link, too.
                if fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mode & S_IFMT == S_IFLNK {
                    throw shown == path ? .link() : .link(above: shown)
                }
                throw Problem(errno: code)
            }
            close(descriptor)
            descriptor = next
            current = shown
        }
        return descriptor
    }
}
