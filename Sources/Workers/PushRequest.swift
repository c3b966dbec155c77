internal import Crypto
package import Model
internal import Plans
internal import YAML

/// A job's files for one worker.
public struct PushRequest: Sendable {
    /// The job's name, and that of its folder.
    public var job: String
    /// All that is to be there, deployed files of the job only. Folders on the way need not be named.
    public var target: [PushEntry]
    /// What the plan says is there now; `nil` if that is unknown (an unfinished allocation): then whatever differs is
    /// replaced, and nothing is drift.
    public var base: [PushEntry]?
    /// Whether a target of the job's Makefile runs once the files are there. Then what an earlier target has made of a
    /// pushed file is replaced by what was pushed, also where the plan does not change it.
    public var isFollowedByTarget: Bool
    /// Paths of `target` that the running service may rewrite: what is there is no drift, and is replaced only where the
    /// plan changes the path.
    public var changedByService: [String]
    /// The bytes of a file of `target`; asked for once per file that is sent.
    public var content: @Sendable (PushEntry) throws -> ByteSource
    /// After this long the push is given up; nil for never.
    public var timeout: Duration?
    /// Paths that the plan does not change and that are sent all the same, since the worker has said that it needs them.
    package var restored: Set<PathBytes> = []

    public init(
        job: String, target: [PushEntry], base: [PushEntry]?, isFollowedByTarget: Bool = false,
        changedByService: [String] = [], timeout: Duration?,
        content: @escaping @Sendable (PushEntry) throws -> ByteSource
    ) {
        self.job = job
        self.target = target
        self.base = base
        self.isFollowedByTarget = isFollowedByTarget
        self.changedByService = changedByService
        self.timeout = timeout
        self.content = content
    }
}

/// What became of a push.
public enum PushReport: Sendable, Hashable {
    /// The worker has the target, verified by digest.
    case pushed
    /// It had it already.
    case unchanged
    /// A comparison found each path as it was or as it shall be.
    case asPlanned
    /// Somebody has changed these paths (at most 200 are listed). Nothing was touched.
    case drift([DriftedPath], total: Int)
    case busy(by: String)
    case generationChanged(expected: String?, actual: String)
    case notOwner(Owner?)
    /// Somebody has changed what is there so that it cannot even be compared. Nothing was touched.
    case altered(String)
    /// The worker could not do it. Before its commit marker nothing was touched; after it, the next push goes on.
    case failed(String)
}

/// A path on a worker that holds neither what the plan says was there nor what shall be there.
public struct DriftedPath: Sendable, Hashable {
    /// What is there in place of what was expected.
    public enum Actual: Sendable, Hashable {
        case nothing
        case file(digest: String, isExecutable: Bool)
        /// Something else than expected where a file with secrets belongs.
        case otherSecrets
        case symbolicLink
        case directory
        /// A device, a socket or a pipe.
        case special
        /// A file that an earlier push has left and this plan does not know.
        case unplanned
    }

    /// Relative to the job's folder.
    public var path: String
    /// What is there.
    public var actual: Actual

    public init(path: String, actual: Actual) {
        self.path = path
        self.actual = actual
    }
}

extension PushRequest {
    /// What the worker script calls a mode.
    enum Mode: String {
        case check
        case apply
        case force
        case stage
        case commit
    }

    /// The lists that the script reads, and the files that go with them.
    struct Plan {
        var text: [UInt8] = []
        /// Of the paths that the service may rewrite, each with its size as it was pushed.
        var service: [UInt8] = []
        var members: [TarArchive.Member] = []

        /// By which the worker knows what was staged for just these lists.
        var token: String { SHA256.hash(data: text + service).hexadecimal }

        /// All that is sent.
        var archive: TarArchive {
            let lists = [("plan", text), ("service", service)].filter { $0.0 == "plan" || !$0.1.isEmpty }
            return TarArchive(
                members: lists.map { name, bytes in
                    TarArchive.Member(
                        path: name,
                        content: .file(size: bytes.count, mode: 0o644, digest: nil, .bytes(bytes)))
                } + members)
        }
    }

    /// What the script is told besides; see there.
    func hints(needed: Set<PathBytes>?) -> String {
        var letters = isFollowedByTarget ? "t" : ""
        if base?.isEmpty == true { letters += "n" }
        // Where nobody knows what is there, whatever differs is replaced.
        if needed != nil { letters = "m" }
        return letters.isEmpty ? "-" : letters
    }

    /// - Parameter needed: the paths to replace, where the base is not known.
    /// - Throws: what `content` throws.
    func plan(needed: Set<PathBytes>?, sending: Bool) throws -> Plan {
        let target = target.completed()
        var before: [PathBytes: PushEntry] = [:]
        for entry in (base ?? self.target).completed() { before[PathBytes(entry.path)] = entry }
        var lines = ""
        var members: [TarArchive.Member] = []
        for entry in target {
            let path = PathBytes(entry.path)
            let was = before.removeValue(forKey: path)
            let isSame =
                needed.map { !$0.contains(path) } ?? (was?.fields == entry.fields && !restored.contains(path))
            let from = isSame ? "= = =" : needed == nil ? was?.fields ?? "- - -" : "- - -"
            lines += "\(entry.fields) \(from) ./\(entry.path)/\n"
            if case .symbolicLink(let link) = entry.kind { lines += link + "\n" }
            if !isSame, sending, let member = try member(entry) { members.append(member) }
        }
        for entry in Array(before.values).completed() where before[PathBytes(entry.path)] != nil {
            lines += "- - - \(entry.fields) ./\(entry.path)/\n"
        }
        return Plan(text: Array(lines.utf8), service: service, members: members)
    }

    private var service: [UInt8] {
        guard !changedByService.isEmpty else { return [] }
        let paths = Set(changedByService.map(PathBytes.init))
        let kept = Set(target.map { PathBytes($0.path) })
        let removed = (base ?? []).filter { !kept.contains(PathBytes($0.path)) }
        let lines = (target + removed).lazy.filter { paths.contains(PathBytes($0.path)) }
            .map { "\($0.size) ./\($0.path)/\n" }
        return Array(lines.joined().utf8)
    }

    /// The paths that an answer says the worker needs; nil where it needs none. It lists only the first ones.
    func needs(_ answer: WorkerAnswer) -> Set<PathBytes>? {
        let paths = answer.records.filter { $0.name == "need" }.map(\.text)
        let words = answer["state"]?.words(3) ?? []
        let total = words.count > 1 ? Int(words[1]) : nil
        guard words.first == "needed" || !paths.isEmpty else { return nil }
        let own = Set(target.completed().map { PathBytes($0.path) })
        if let total, total > paths.count { return own }
        return own.intersection(paths.map { PathBytes($0.hasPrefix("./") ? String($0.dropFirst(2)) : $0) })
    }

    private func member(_ entry: PushEntry) throws -> TarArchive.Member? {
        switch entry.kind {
        case .file(let digest, let size, let mode):
            // Opened when its turn comes: a large tree must not hold a descriptor per file.
            let source = ByteSource { [content] in try content(entry).open() }
            return TarArchive.Member(
                path: "tree/" + entry.path,
                content: .file(
                    size: size, mode: mode, digest: PushEntry.bare(digest), source))
        case .symbolicLink(let target):
            return TarArchive.Member(path: "tree/" + entry.path, content: .symbolicLink(target: target))
        case .directory: return nil
        }
    }

    var flaw: String? {
        if !ShellText.isWord(job) || job == "." || job == ".." || job == "-" { return "job name \(job)" }
        for entry in target + (base ?? []) {
            if let flaw = entry.flaw { return "\(entry.path): \(flaw)" }
        }
        return Self.flaw(of: target) ?? base.flatMap(Self.flaw)
    }

    /// A path that is a folder for one entry and something else for another.
    private static func flaw(of entries: [PushEntry]) -> String? {
        var kinds: [PathBytes: PushEntry.Kind] = [:]
        for entry in entries.completed() { kinds[PathBytes(entry.path)] = entry.kind }
        for path in kinds.keys {
            if let kind = kinds[path.folder], kind != .directory {
                return "\(path.text): \(path.folder.text) is no folder"
            }
        }
        return nil
    }
}

extension PushReport {
    /// The same without the digests of what is in the place of files with secrets: with one, anybody could try values.
    func hidingSecrets(of request: PushRequest) -> PushReport {
        guard case .drift(let paths, let total) = self else { return self }
        let sealed = Set((request.target + (request.base ?? [])).lazy.filter { $0.sealed != nil }.map(\.path))
        if sealed.isEmpty { return self }
        return .drift(
            paths.map { path in
                guard sealed.contains(path.path), case .file = path.actual else { return path }
                return DriftedPath(path: path.path, actual: .otherSecrets)
            }, total: total)
    }

    /// - Throws: ``InvalidAnswer`` where the answer is not one to a push.
    init(_ answer: WorkerAnswer, expectedGeneration: String?) throws(InvalidAnswer) {
        guard let words = answer["state"]?.words(2), let state = words.first else { throw answer.unexpected }
        let detail = words.count > 1 ? words[1] : "-"
        switch state {
        case "pushed": self = .pushed
        case "unchanged": self = .unchanged
        case "planned": self = .asPlanned
        case "drift":
            var paths: [DriftedPath] = []
            for record in answer.records where record.name == "drift" {
                guard paths.count < Self.driftLimit else {
                    throw InvalidAnswer("it lists more changed paths than asked")
                }
                paths.append(try DriftedPath(record))
            }
            let total = try AnswerText.number(detail, in: 0...(.max), "the number of changed paths")
            self = .drift(paths, total: max(total, paths.count))
        case "busy": self = .busy(by: try AnswerText.word(detail, "the name of what is in the way"))
        case "generation":
            self = .generationChanged(
                expected: expectedGeneration, actual: try AnswerText.word(detail, "the generation of its receipts"))
        case "owner": self = .notOwner(try answer.owner)
        // What was there changed while it was sent a second time.
        case "needed": self = .failed("files of the job change on the worker while they are compared")
        case "failed": self = Self.failure(detail)
        default: throw answer.unexpected
        }
    }

    /// The script lists so many, and says how many there are.
    private static let driftLimit = 200

    /// What the script's word, with the path that may follow it, means for people.
    private static func failure(_ text: String) -> PushReport {
        let words = text.split(separator: " ", maxSplits: 1)
        switch words.first {
        case "read":
            return .altered(
                "the worker's user cannot read files of the job: look at their owners and modes, and at those of their "
                    + "folders")
        case "symlink":
            return .altered("the job's folder on the worker is a symbolic link: put a folder in its place")
        default: return .failed(failure(words, of: text))
        }
    }

    private static func failure(_ words: [Substring], of text: String) -> String {
        var path = words.count > 1 ? words[1] : ""
        if path.hasPrefix("./") { path = path.dropFirst(2) }
        let name = VisibleText.escape(String(path.prefix(200)), for: .terminal)
        switch words.first {
        case "nospace", "lists":
            return "the worker could not write its own lists, and nothing was touched: is its disk full?"
        case "transfer":
            return "the worker could not take what was sent, and nothing was touched: is its disk full?"
        case "sync": return "the worker could not bring to its disk what was sent: is the disk full, or failing?"
        case "missing": return "\(name) did not arrive, and nothing was touched"
        case "digest": return "\(name) did not arrive as it was sent, and nothing was touched"
        case "path": return "\(name) is not a path to which files may be pushed, and nothing was touched"
        case "forward":
            return "not every file could be put in its place: look there at owners, modes and symbolic links of the "
                + "job's folders. The next try goes on where this one stopped"
        case "removal":
            return "not every file could be removed: look there at owners, modes and symbolic links of the job's "
                + "folders"
        default: return "the worker script gave a reason that this version does not know: \(InvalidAnswer.cut(text))"
        }
    }
}

extension DriftedPath {
    fileprivate init(_ record: WorkerAnswer.Record) throws(InvalidAnswer) {
        guard let space = record.text.firstIndex(of: " ") else {
            throw InvalidAnswer("it lists a changed path without saying what is there", said: record.text)
        }
        let actual = record.text[..<space]
        var path = record.text[record.text.index(after: space)...]
        if path.hasPrefix("./") { path = path.dropFirst(2) }
        if let problem = TreePath.problem(String(path)) {
            throw InvalidAnswer("a changed path \(problem)", said: path)
        }
        self.path = String(path)
        switch actual {
        case "none": self.actual = .nothing
        case "link": self.actual = .symbolicLink
        case "folder": self.actual = .directory
        case "other": self.actual = .special
        case "extra": self.actual = .unplanned
        default:
            let parts = actual.split(separator: ".")
            guard parts.count == 2, let digest = Digest(hex: parts[0].utf8) else {
                throw InvalidAnswer("it does not say what is at a changed path", said: actual)
            }
            self.actual = .file(digest: digest.hex, isExecutable: parts[1] == "755")
        }
    }
}
