import Crypto
import Foundation
import Workers

/// A tree as tests write it, compared by the bytes of its names.
struct Files: Hashable, ExpressibleByDictionaryLiteral {
    enum Content: Hashable {
        case file(String)
        case script(String)
        case link(String)
        case folder
    }

    struct Key: Hashable, ExpressibleByStringLiteral {
        var bytes: [UInt8]
        init(_ path: String) { bytes = Array(path.utf8) }
        init(stringLiteral path: String) { self.init(path) }
        var path: String { String(decoding: bytes, as: UTF8.self) }
    }

    var contents: [Key: Content]

    init(dictionaryLiteral elements: (Key, Content)...) {
        contents = Dictionary(uniqueKeysWithValues: elements)
    }

    subscript(key: Key) -> Content? {
        get { contents[key] }
        set { contents[key] = newValue }
    }

    mutating func removeValue(forKey key: Key) -> Content? { contents.removeValue(forKey: key) }

    /// Each path where they differ, for people.
    func difference(from other: Files) -> [String] {
        Set(contents.keys).union(other.contents.keys).filter { self[$0] != other[$0] }.map { key in
            "\(key.path.debugDescription): \(String(describing: self[key])) \(String(describing: other[key]))"
        }
    }

    static func digest(_ text: String) -> String {
        SHA256.hash(data: Data(text.utf8)).map { String(format: "%02x", $0) }.joined()
    }

    var entries: [PushEntry] {
        contents.map { key, content in
            switch content {
            case .file(let text), .script(let text):
                PushEntry(
                    path: key.path,
                    kind: .file(
                        digest: Self.digest(text), size: text.utf8.count, mode: content == .script(text) ? 0o755 : 0o644
                    ))
            case .link(let target): PushEntry(path: key.path, kind: .symbolicLink(target: target))
            case .folder: PushEntry(path: key.path, kind: .directory)
            }
        }
    }
}

extension Lab {
    func request(_ target: Files, over base: Files?) -> PushRequest {
        PushRequest(job: "api", target: target.entries, base: base?.entries, timeout: .seconds(600)) { entry in
            switch target[Files.Key(entry.path)] {
            case .file(let text), .script(let text): .bytes(Array(text.utf8))
            case .link, .folder, nil: .empty
            }
        }
    }

    func push(_ target: Files, over base: Files?) async throws -> PushReport {
        try await session.push(request(target, over: base))
    }

    func compare(_ target: Files, over base: Files?) async throws -> PushReport {
        var request = request(target, over: base)
        return try await session.compare(&request)
    }

    func stage(_ request: PushRequest) async throws -> PushReport {
        var request = request
        return try await session.stage(&request)
    }

    /// Runs with a worker script in which whichever of its shells comes to a command for the nth time kills itself.
    ///
    /// - Returns: `nil` where the answer did not arrive for that.
    func killing<T: Sendable>(
        at command: String, occurrence: Int, _ body: @Sendable () async throws -> T
    ) async throws -> T? {
        // Counted in a file, because the script has several shells; `$$` is the one that runs it, also in subshells.
        let function = """
            \(command)() {
                echo x >>"$W/.count"
                [ "$(wc -l <"$W/.count")" -ne \(occurrence) ] || kill -9 $$
                command \(command) "$@"
            }
            """
        let anchor = "\nverb=$1\n"
        try? FileManager.default.removeItem(atPath: path(".count"))
        try patchScript { $0.replacingOccurrences(of: anchor, with: "\n" + function + anchor) }
        defer { try? patchScript { $0.replacingOccurrences(of: "\n" + function + anchor, with: anchor) } }
        do {
            return try await body()
        } catch let error as TransportError where error.kind == .connectionLost {
            return nil
        }
    }

    /// What lies in the job's directory, except what belongs to the job itself. Folders only where they are empty.
    func deployed() throws -> Files {
        var files: Files = [:]
        let base = job("")
        func visit(_ folder: String) throws {
            let names = try names(in: base + folder)
            if names.isEmpty, !folder.isEmpty { files[Files.Key(String(folder.dropLast()))] = .folder }
            for name in names where !(folder.isEmpty && ["data", "logs", "bin"].contains(name)) {
                let path = folder + name
                var status = stat()
                guard lstat(base + path, &status) == 0 else { continue }
                switch status.st_mode & S_IFMT {
                case S_IFDIR: try visit(path + "/")
                case S_IFLNK:
                    files[Files.Key(path)] = .link(
                        try FileManager.default.destinationOfSymbolicLink(atPath: base + path))
                default:
                    let text = read(base + path) ?? ""
                    files[Files.Key(path)] = status.st_mode & 0o100 == 0 ? .file(text) : .script(text)
                }
            }
        }
        try visit("")
        return files
    }

    private func names(in folder: String) throws -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    func remove(_ path: String) throws {
        if exists(job(path)) { try FileManager.default.removeItem(atPath: job(path)) }
    }

    func replace(_ path: String, byLinkTo target: String) throws {
        try remove(path)
        try FileManager.default.createSymbolicLink(atPath: job(path), withDestinationPath: target)
    }

    /// Another file takes its place, as old as one can be, as `cp -p` and `mv` bring them.
    func restore(_ path: String, _ text: String) throws {
        let aside = job(path) + ".aside"
        try write(text, aside)
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1_000_000_000)], ofItemAtPath: aside)
        try remove(path)
        try FileManager.default.moveItem(atPath: aside, toPath: job(path))
    }

    func replaceByFolder(_ path: String) throws {
        try remove(path)
        try write("foreign", job(path) + "/foreign")
    }
}
