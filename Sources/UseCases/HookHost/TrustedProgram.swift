internal import Glibc

/// A program that only certain users can have put where it is.
enum TrustedProgram {
    /// As many links as Linux follows, see path_resolution(7).
    private static let mostLinks = 40

    /// Looks at every folder on the way to a program, those to which symbolic links lead, too: each, each link and the
    /// program belongs to one of the owners, and nobody else may write there (but add files of their own, as in `/tmp`).
    ///
    /// - Parameters:
    ///   - path: absolute.
    ///   - owners: user ids.
    ///   - forbidden: folders without links in their paths, through which no way may lead.
    /// - Returns: why it is not to be run, as a sentence without a full stop; nil where it may.
    static func flaw(_ path: String, owners: Set<UInt32>, forbidden: Set<String> = []) -> String? {
        var rest = parts(path)
        // Resolved.
        var here: [Substring] = []
        var links = 0
        while true {
            let shown = "/" + here.joined(separator: "/")
            if forbidden.contains(shown) {
                return "\(shown) lies on the way to \(path), where authors of plans may write"
            }
            var status = stat()
            guard lstat(shown, &status) == 0 else {
                return errno == ENOENT ? "\(shown) does not exist" : "\(shown): \(String(cString: strerror(errno)))"
            }
            if !owners.contains(status.st_uid) { return "\(shown) belongs to the user \(status.st_uid)" }
            switch status.st_mode & S_IFMT {
            case S_IFLNK:
                links += 1
                guard links <= mostLinks, let target = target(of: shown) else {
                    return "\(shown) is a symbolic link that leads nowhere"
                }
                here = target.hasPrefix("/") ? [] : here.dropLast()
                rest = parts(target) + rest
            case S_IFDIR:
                if status.st_mode & 0o022 != 0, status.st_mode & S_ISVTX == 0 { return "others may write in \(shown)" }
                if rest.isEmpty { return "\(shown) is a folder" }
            case S_IFREG:
                if !rest.isEmpty { return "\(shown) is not a folder" }
                if status.st_mode & 0o022 != 0 { return "others may write \(shown)" }
                return access(shown, X_OK) == 0 ? nil : "\(shown) is not executable"
            default: return "\(shown) is not a program"
            }
            while let part = rest.first, part == "." || part == ".." {
                rest.removeFirst()
                if part == "..", !here.isEmpty { here.removeLast() }
            }
            if let part = rest.first {
                rest.removeFirst()
                here.append(part)
            }
        }
    }

    private static func parts(_ path: String) -> [Substring] {
        path.utf8.split(separator: UInt8(ascii: "/")).map { Substring($0) }
    }

    private static func target(of link: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(link, &buffer, buffer.count)
        guard count > 0 else { return nil }
        return String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
