public import Model

/// What a worker says of the jobs that were deployed on it.
public struct WorkerInventory: Sendable, Equatable {
    /// What was last done with a job there, as far as the worker remembers.
    public enum LastWord: Sendable, Equatable {
        /// A target of the job's Makefile that ended well, after the last push.
        case succeeded(target: String)
        case failed(target: String)
        /// Files were pushed since, or what was done last is not known to have ended.
        case unknown
    }

    /// What a worker knows of one job.
    public struct Job: Sendable, Equatable {
        public var job: JobName
        /// The bytes of its `manifest.json`, at most 64 KiB of them; empty where there is none.
        public var manifest: [UInt8]
        /// The deployed paths as they are now; what targets of ours have left, or the service may rewrite, counts as it was
        /// deployed.
        public var tree: Tree
        /// Whether a path is not as it was deployed. A mode alone does not count.
        public var isAltered: Bool
        /// What is known of the last command that ran for the job there.
        public var last: LastWord
    }

    /// The worker's owner record: the last run that took it.
    public var owner: Owner?
    /// By name.
    public var jobs: [Job]

    public init(owner: Owner?, jobs: [Job]) {
        self.owner = owner
        self.jobs = jobs
    }

    /// Most bytes of an answer.
    static let limit = 64 << 20
}

extension WorkerInventory {
    /// - Returns: nil where the answer is not one about an inventory.
    init?(_ answer: WorkerAnswer) {
        guard answer["state"]?.text == "inventory" else { return nil }
        var jobs: [Job] = []
        var records = answer.records[...]
        while let record = records.popFirst() {
            guard record.name == "job" else { continue }
            var parts: [String: [UInt8]] = [:]
            while let part = records.first, part.name != "job", part.name != "state" {
                parts[part.name] = part.payload
                records.removeFirst()
            }
            guard let job = Job(record, parts) else { return nil }
            jobs.append(job)
        }
        self.init(owner: answer.owner.flatMap { $0.controller == "-" ? nil : $0 }, jobs: jobs)
    }
}

extension WorkerInventory.Job {
    fileprivate init?(_ record: WorkerAnswer.Record, _ parts: [String: [UInt8]]) {
        let words = record.words()
        guard words.count == 3, let job = JobName(words[0]), let deployed = Self.lines(parts["deployed"]),
            let paths = Self.lines(parts["paths"]), let sums = Self.lines(parts["sums"]),
            let sizes = Self.lines(parts["sizes"])
        else { return nil }
        self.job = job
        manifest = parts["manifest"] ?? []
        last =
            switch words[1] {
            case "exit.0": .succeeded(target: words[2])
            case "-": .unknown
            default: .failed(target: words[2])
            }
        var entries: [TreeEntry] = []
        var files = zip(sums, sizes).makeIterator()
        var rest = paths[...]
        while let line = rest.popFirst() {
            let path = String(line.dropFirst(4).dropLast())
            switch line.first {
            case "f", "x":
                // Where the name holds a backslash, the line begins with one.
                guard let (sum, size) = files.next(), let size = Int(size),
                    let digest = Digest(hex: sum.drop { $0 == "\\" }.prefix(64).utf8)
                else { return nil }
                entries.append(
                    TreeEntry(path: path, kind: line.first == "x" ? .executable : .file, digest: digest, size: size))
            case "l":
                guard let words = rest.popFirst()?.split(separator: " "), words.count == 2,
                    let digest = Digest(hex: words[0].utf8), let size = Int(words[1])
                else { return nil }
                entries.append(TreeEntry(path: path, kind: .symlink, digest: digest, size: size))
            case "d": entries.append(TreeEntry(path: path, kind: .emptyDirectory, digest: Digest.of([]), size: 0))
            default: return nil
            }
        }
        guard let left = Self.lines(parts["left"] ?? []), let service = Self.lines(parts["service"] ?? []) else {
            return nil
        }
        entries = DeployedList(deployed, left: left, service: service).asPushed(entries)
        // Folders are deployed as such, and a tree names only those without entries.
        let inner = Set(entries.flatMap { Self.folders(above: $0.path) })
        tree = Tree(entries.filter { $0.kind != .emptyDirectory || !inner.contains($0.path) })
        // What is above a path that counts as pushed counts as there, too.
        let folders = inner.map {
            Self.deployedLine(TreeEntry(path: $0, kind: .emptyDirectory, digest: Digest.of([]), size: 0))
        }
        isAltered = Set(deployed) != Set(entries.map(Self.deployedLine) + folders)
    }

    /// As a push writes it down on the worker.
    private static func deployedLine(_ entry: TreeEntry) -> String {
        switch entry.kind {
        case .file: "f \(entry.digest.hex) 644 ./\(entry.path)/"
        case .executable: "f \(entry.digest.hex) 755 ./\(entry.path)/"
        case .symlink: "l \(entry.digest.hex) 777 ./\(entry.path)/"
        case .emptyDirectory: "d - 755 ./\(entry.path)/"
        }
    }

    private static func folders(above path: String) -> [String] {
        path.indices.lazy.filter { path[$0] == "/" }.map { String(path[..<$0]) }
    }

    private static func lines(_ payload: [UInt8]?) -> [String]? {
        guard let payload, String(validating: payload, as: UTF8.self) != nil else { return nil }
        return payload.split(separator: 0x0a).map { String(decoding: $0, as: UTF8.self) }
    }
}
