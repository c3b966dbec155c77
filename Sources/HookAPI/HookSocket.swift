internal import Foundation
internal import Glibc

/// Where hooks of one run find the process that serves them: a Unix socket in a folder that only this user may enter.
///
/// The path is the same for every process of a run, so that a hook that outlives one finds the next. It may be longer than
/// the 107 bytes that a socket's address holds: then it is reached through an open descriptor of the folder.
struct HookSocket: Sendable {
    /// Absolute; any length.
    let path: String
    private let folder: String
    private let name: String

    /// - Parameter name: Of the socket within its folder; letters and digits.
    init(bucketFolder: String, name: String) {
        folder = PrivateFolder.hooks(of: bucketFolder) + "/api"
        self.name = name
        path = folder + "/" + name
    }

    /// Calls `body` with a path that fits into a socket's address while it runs, when nothing is there any more.
    ///
    /// - Throws: `HookFileProblem` where the folder cannot be had; what `body` throws.
    func bind<T>(_ body: (String) async throws -> T) async throws -> T {
        try HookFileProblem.explaining(folder) {
            try PrivateFolder.make(PrivateFolder.parent(of: folder))
            try PrivateFolder.make(folder)
        }
        removeDead()
        guard unlink(path) == 0 || errno == ENOENT else {
            throw HookFileProblem(path: path, reason: String(cString: strerror(errno)))
        }
        if path.utf8.count <= Self.longest { return try await body(path) }
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw HookFileProblem(path: folder, reason: String(cString: strerror(errno)))
        }
        defer { Glibc.close(descriptor) }
        return try await body("/proc/self/fd/\(descriptor)/\(name)")
    }

    func remove() { unlink(path) }

    /// Bytes of a path that may be a socket's address: unix(7) has room for 107, SwiftNIO for less.
    private static let longest = 103

    /// Removes what processes left that were killed.
    private func removeDead() {
        guard let listing = try? FileManager.default.contentsOfDirectory(atPath: folder) else { return }
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { Glibc.close(descriptor) }
        for other in listing where other != name {
            if Self.isDead("/proc/self/fd/\(descriptor)/\(other)") { unlinkat(descriptor, other, 0) }
        }
    }

    /// Whether nobody listens there.
    private static func isDead(_ path: String) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count <= longest else { return false }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard probe >= 0 else { return false }
        defer { Glibc.close(probe) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(probe, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return result != 0 && errno == ECONNREFUSED
    }
}

/// Folders of a bucket into which nobody else may look, whatever the umask is, and also if another user made them.
public enum PrivateFolder {
    /// The folder of a bucket in which everything about hooks is.
    public static func hooks(of bucketFolder: String) -> String {
        URL(fileURLWithPath: bucketFolder).standardizedFileURL.path + "/.hooks"
    }

    static func parent(of path: String) -> String { path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "." }

    /// Makes the folder with the mode 0700, or gives that mode to the one that is there.
    ///
    /// - Throws: `POSIXError`; `EPERM` where it is somebody else's, `ENOTDIR` where it is a link or no folder.
    public static func make(_ path: String) throws {
        if mkdir(path, 0o700) == 0 { return }
        guard errno == EEXIST else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        defer { Glibc.close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        guard status.st_uid == geteuid() else { throw POSIXError(.EPERM) }
        if status.st_mode & 0o7777 == 0o700 { return }
        guard fchmod(descriptor, 0o700) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    }
}
