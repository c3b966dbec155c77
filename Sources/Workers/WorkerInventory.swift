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
    static let limit = 16 << 20
    /// Most paths of all jobs together.
    static let pathLimit = 100_000
}

extension WorkerInventory {
    /// - Throws: ``InvalidAnswer`` where the answer is not one about an inventory, or names what no worker can have.
    init(_ answer: WorkerAnswer) throws(InvalidAnswer) {
        guard answer["state"]?.text == "inventory" else { throw answer.unexpected }
        var jobs: [Job] = []
        var names = Set<JobName>()
        // Each path has a line in up to five lists.
        var room = 5 * Self.pathLimit
        var records = answer.records[...]
        while let record = records.popFirst() {
            guard record.name == "job" else { continue }
            var parts: [String: [UInt8]] = [:]
            while let part = records.first, part.name != "job", part.name != "state" {
                parts[part.name] = part.payload
                records.removeFirst()
            }
            let job = try Job(record, parts, room: &room)
            guard names.insert(job.job).inserted else { throw InvalidAnswer("it lists the job \(job.job) twice") }
            jobs.append(job)
        }
        self.init(owner: try answer.owner.flatMap { $0.controller == "-" ? nil : $0 }, jobs: jobs)
    }
}

extension WorkerInventory.Job {
    /// - Parameter room: how many lines its lists may have, of which its own are taken.
    fileprivate init(
        _ record: WorkerAnswer.Record, _ parts: [String: [UInt8]], room: inout Int
    ) throws(InvalidAnswer) {
        let words = record.words(4)
        guard words.count == 3, let job = JobName(words[0]) else {
            throw InvalidAnswer("it lists no job", said: record.text)
        }
        self.job = job
        manifest = parts["manifest"] ?? []
        guard manifest.count <= Self.manifestLimit else {
            throw InvalidAnswer("the manifest of \(job) has more than \(Self.manifestLimit >> 10) KiB")
        }
        let target = try AnswerText.word(words[2], "the last target of \(job)")
        last =
            switch words[1] {
            case "exit.0": .succeeded(target: target)
            case "-": .unknown
            default: .failed(target: target)
            }
        let deployed = try Self.lines(parts["deployed"], of: job, &room)
        var entries = try Self.entries(parts, of: job, &room)
        let left = try Self.lines(parts["left"] ?? [], of: job, &room)
        let service = try Self.lines(parts["service"] ?? [], of: job, &room)
        entries = DeployedList(deployed, left: left, service: service).asPushed(entries)
        for entry in entries {
            if let problem = TreePath.problem(entry.path) {
                throw InvalidAnswer("a path of \(job) \(problem)", said: entry.path)
            }
        }
        guard Set(entries.map { PathBytes($0.path) }).count == entries.count else {
            throw InvalidAnswer("it lists a path of \(job) twice")
        }
        // Folders are deployed as such, and a tree names only those without entries.
        let inner = Self.folders(above: entries)
        tree = Tree(entries.filter { $0.kind != .emptyDirectory || !inner.contains($0.path[...]) })
        // What is above a path that counts as pushed counts as there, too.
        let all = Set(entries.map(Self.deployedLine))
        let folders = inner.lazy.map {
            Self.deployedLine(TreeEntry(path: String($0), kind: .emptyDirectory, digest: Digest.of([]), size: 0))
        }
        let added = folders.count { !all.contains($0) }
        isAltered = Set(deployed).count != all.count + added || !deployed.allSatisfy(all.union(folders).contains)
    }

    /// As the script cuts it off.
    private static let manifestLimit = 64 << 10

    /// The paths as the worker has them now.
    private static func entries(
        _ parts: [String: [UInt8]], of job: JobName, _ room: inout Int
    ) throws(InvalidAnswer) -> [TreeEntry] {
        let sums = try lines(parts["sums"], of: job, &room)
        let sizes = try lines(parts["sizes"], of: job, &room)
        var files = zip(sums, sizes).makeIterator()
        var rest = try lines(parts["paths"], of: job, &room)[...]
        var entries: [TreeEntry] = []
        while let line = rest.popFirst() {
            let path = String(line.dropFirst(4).dropLast())
            let kind: TreeEntry.Kind
            var (digest, size) = ("", "")
            switch line.first {
            case "f", "x":
                kind = line.first == "x" ? .executable : .file
                // Where the name holds a backslash, the line of its sum begins with one.
                if let (sum, bytes) = files.next() {
                    (digest, size) = (String(sum.drop { $0 == "\\" }.prefix(64)), bytes)
                }
            case "l":
                kind = .symlink
                let words = rest.popFirst()?.split(separator: " ") ?? []
                if words.count == 2 { (digest, size) = (String(words[0]), String(words[1])) }
            case "d":
                entries.append(TreeEntry(path: path, kind: .emptyDirectory, digest: Digest.of([]), size: 0))
                continue
            default: throw InvalidAnswer("it lists something of \(job) that is no path", said: line)
            }
            guard let digest = Digest(hex: digest.utf8) else {
                throw InvalidAnswer("it gives no digest for a path of \(job)", said: path)
            }
            let bytes = try AnswerText.number(size, in: 0...(1 << 50), "the size of a file of \(job)")
            entries.append(TreeEntry(path: path, kind: kind, digest: digest, size: bytes))
        }
        return entries
    }

    /// As a push writes it down on the worker.
    private static func deployedLine(_ entry: TreeEntry) -> String {
        switch entry.kind {
        case .file, .executable, .sealed:
            "f \(entry.digest.hex) \(String(entry.mode, radix: 8)) ./\(entry.path)/"
        case .symlink: "l \(entry.digest.hex) 777 ./\(entry.path)/"
        case .emptyDirectory: "d - 755 ./\(entry.path)/"
        }
    }

    /// All folders on the way to entries, each once.
    private static func folders(above entries: [TreeEntry]) -> Set<Substring> {
        var folders = Set<Substring>()
        for entry in entries {
            var path = entry.path[...]
            // Those above a folder that is known are known, too.
            while let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), folders.insert(path[..<slash]).inserted {
                path = path[..<slash]
            }
        }
        return folders
    }

    /// - Parameter room: how many lines there may be, of which these are taken.
    private static func lines(
        _ payload: [UInt8]?, of job: JobName, _ room: inout Int
    ) throws(InvalidAnswer) -> [String] {
        guard let payload, String(validating: payload, as: UTF8.self) != nil else {
            throw InvalidAnswer("a list of \(job) is missing, or is no text")
        }
        let lines = payload.split(separator: 0x0a, maxSplits: room + 1)
        room -= lines.count
        guard room >= 0 else {
            throw InvalidAnswer("it lists more than \(WorkerInventory.pathLimit) paths of jobs")
        }
        return lines.map { String(decoding: $0, as: UTF8.self) }
    }
}
