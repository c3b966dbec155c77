internal import Model
internal import Plans

/// What was pushed to a worker, with what it says that targets of ours have left, and that the service may rewrite.
struct DeployedList {
    /// A path as it is compared: what kind of thing it is, and its digest. A mode does not count.
    private struct Content: Hashable {
        /// `f` or `l`; `-` where nothing is there.
        let kind: Substring
        let digest: Substring
    }

    private struct Pushed {
        let content: Content
        /// Of a file.
        let mode: Int
    }

    private struct Leaving {
        let left: Content
        let pushed: Content
        let size: Int
    }

    /// Files and links, in the order of the list.
    private var order: [PathBytes] = []
    private var pushed: [PathBytes: Pushed] = [:]
    private var leavings: [PathBytes: Leaving] = [:]
    /// Sizes as they were pushed.
    private var service: [PathBytes: Int] = [:]

    /// Lines of the worker's lists; see `worker.sh`. Lines that are none say nothing.
    init(_ deployed: [String], left: [String], service: [String]) {
        for line in deployed {
            guard let (words, path) = Self.parts(line), words.count == 3, words[0] == "f" || words[0] == "l" else {
                continue
            }
            order.append(path)
            pushed[path] = Pushed(
                content: Content(kind: words[0], digest: words[1]), mode: Int(words[2], radix: 8) ?? 0o644)
        }
        for line in left {
            guard let (words, path) = Self.parts(line), words.count > 4, let size = Int(words[0]), size >= 0 else {
                continue
            }
            let last = words.suffix(4).map { $0 }
            leavings[path] = Leaving(
                left: Content(kind: last[0], digest: last[1]), pushed: Content(kind: last[2], digest: last[3]),
                size: size)
        }
        for line in service {
            guard let (words, path) = Self.parts(line), words.count == 1, let size = Int(words[0]), size >= 0 else {
                continue
            }
            self.service[path] = size
        }
    }

    /// Words, then ` ./path/`; no word holds a slash.
    private static func parts(_ line: String) -> (words: [Substring], path: PathBytes)? {
        guard let slash = line.utf8.firstIndex(of: UInt8(ascii: "/")), line.hasSuffix("/") else { return nil }
        let words = line[..<slash].split(separator: " ")
        let rest = line[slash...].dropFirst().dropLast()
        guard words.last == ".", !rest.isEmpty else { return nil }
        return (words.dropLast(), PathBytes(String(rest)))
    }

    /// The entries with each path that is as a target left it, or that the service may rewrite, as it was pushed.
    func asPushed(_ entries: [TreeEntry]) -> [TreeEntry] {
        var found: [PathBytes: TreeEntry] = [:]
        for entry in entries { found[PathBytes(entry.path)] = entry }
        var result = entries.filter { pushed[PathBytes($0.path)] == nil }
        for path in order {
            guard let pushed = pushed[path] else { continue }
            let there = found[path]
            if let size = size(path, there, pushed), let digest = Digest(hex: pushed.content.digest.utf8) {
                let isLink = pushed.content.kind == "l"
                let kind: TreeEntry.Kind = isLink ? .symlink : pushed.mode & 0o100 != 0 ? .executable : .file
                result.append(
                    TreeEntry(path: path.text, kind: kind, digest: digest, size: size, mode: isLink ? nil : pushed.mode)
                )
            } else if let there {
                result.append(there)
            }
        }
        return result
    }

    /// The size of what was pushed, where the path counts as that; nil where it is what it is.
    private func size(_ path: PathBytes, _ there: TreeEntry?, _ pushed: Pushed) -> Int? {
        let content: Content
        switch there?.kind {
        case nil: content = Content(kind: "-", digest: "-")
        case .file, .executable, .sealed: content = Content(kind: "f", digest: Substring(there?.digest.hex ?? ""))
        case .symlink: content = Content(kind: "l", digest: Substring(there?.digest.hex ?? ""))
        case .emptyDirectory: return nil
        }
        if content == pushed.content { return there?.size }
        // Before what a target has left of it, which says only how large the service had made it.
        if let size = service[path] { return size }
        if let leaving = leavings[path], leaving.left == content, leaving.pushed == pushed.content {
            return leaving.size
        }
        return nil
    }
}
