internal import Glibc

/// The signatures that lie beside a plan, read once.
struct SignatureFolder: Sendable {
    struct Entry: Sendable {
        var name: String
        var content: Result<TrustedFile, TrustedFile.Problem>
    }

    /// `*.sig`, by name.
    let entries: [Entry]

    /// Signature files that are looked at.
    static let maximumCount = 64
    /// Bytes of one; an RSA-4096 signature has 1.5 KiB.
    private static let maximumSize = 64 << 10

    /// - Throws: `ApprovalProblem` where the folder is a symbolic link, cannot be read or holds too much. One that is not
    ///   there holds none.
    init(_ path: String) throws(ApprovalProblem) {
        // With a slash at its end a link would be followed.
        let path = path.count > 1 && path.hasSuffix("/") ? String(path.reversed().drop { $0 == "/" }.reversed()) : path
        let folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard folder >= 0 else {
            let code = errno
            if code == ENOENT {
                entries = []
                return
            }
            var status = stat()
            let isLink = lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
            throw ApprovalProblem(
                "The folder of signatures, \(path), "
                    + (isLink
                        ? "is a symbolic link. Name the folder itself."
                        : "cannot be read: \(String(cString: strerror(code)))."))
        }
        defer { close(folder) }
        var names: [String] = []
        // The stream closes the descriptor that it gets.
        let copy = dup(folder)
        guard copy >= 0, let stream = fdopendir(copy) else {
            throw ApprovalProblem("The folder of signatures, \(path), cannot be read.")
        }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            guard let name = String(validating: bytes, as: UTF8.self), name.hasSuffix(".sig") else { continue }
            names.append(name)
            if names.count > Self.maximumCount {
                throw ApprovalProblem("\(path) holds more than \(Self.maximumCount) signatures.")
            }
        }
        var entries: [Entry] = []
        for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            do throws(TrustedFile.Problem) {
                entries.append(
                    Entry(
                        name: name, content: .success(try TrustedFile.read(name, in: folder, limit: Self.maximumSize))))
            } catch {
                entries.append(Entry(name: name, content: .failure(error)))
            }
        }
        self.entries = entries
    }
}
