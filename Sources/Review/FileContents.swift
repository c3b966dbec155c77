public import Model
public import Plans
internal import Templates

/// The bytes behind a plan's file changes, as far as they are at hand and small enough to show.
public struct FileContents: Sendable {
    /// What is known of one object of the content store.
    public enum Object: Sendable {
        case bytes([UInt8])
        /// Larger than what was asked for; its size in bytes.
        case large(Int)
        /// Not at hand.
        case missing
    }

    private(set) var objects: [Digest: Object] = [:]
    /// Files with secrets, as trees of the plan have them.
    private var sealed: Set<Place> = []

    private struct Place: Hashable {
        let path: String
        let digest: Digest
    }

    /// What is known of a file at its path: of one with secrets, its text with their names in place of the values.
    func object(_ digest: Digest, at path: String) -> Object? {
        guard case .bytes(let bytes)? = objects[digest], sealed.contains(Place(path: path, digest: digest)),
            let file = SealedFile(bytes: bytes)
        else { return objects[digest] }
        // A certificate and a key end with a line feed.
        let end: [UInt8] = file.endsWithCertificate ? [0x0a] : []
        return .bytes(file.shown(Self.struckOut) + end)
    }

    /// The secrets in a file, with the fingerprints of their values; nil if the file is not at hand.
    func secrets(of digest: Digest, at path: String) -> [SecretReference]? {
        guard case .bytes(let bytes)? = objects[digest] else { return nil }
        guard sealed.contains(Place(path: path, digest: digest)) else { return [] }
        return SealedFile(bytes: bytes)?.secrets ?? []
    }

    /// The files of `_modules` folders whose hooks run without any file of their job being pushed, by the folder's tree.
    private(set) var modules: [Digest: [TreeEntry]] = [:]
    /// There was more to read than is read for one review.
    private(set) var isCut = false

    /// Most bytes of one file that are read for a diff.
    public static let maximumFileSize = 256 * 1024
    /// Most bytes of the list of a tree's files that are read.
    static let maximumTreeSize = 16 << 20
    /// Bytes that are read for one review.
    static let maximumBytes = 8 << 20
    /// Objects that are read for one review.
    static let maximumObjects = 2000

    /// Finds out which files have secrets: the trees say it. A plan may say it of any file, and any file may look like one.
    private mutating func noteSealed(of jobs: [Plan.Job], _ read: (_ digest: Digest, _ limit: Int) -> Object) {
        let isAny = objects.values.contains { object in
            if case .bytes(let bytes) = object { SealedFile(bytes: bytes) != nil } else { false }
        }
        if !isAny { return }
        let contents = jobs.flatMap { job in
            job.content.map(\.tree) + job.from.flatMap { [$0.value.content, $0.value.unfinished].compactMap(\.self) }
        }
        for tree in Set(contents) {
            guard case .bytes(let bytes) = read(tree, Self.maximumTreeSize), let tree = Tree(text: bytes) else {
                continue
            }
            for entry in tree.entries where entry.kind == .sealed {
                sealed.insert(Place(path: entry.path, digest: entry.digest))
            }
        }
    }

    /// What is shown in the place of a secret's value: the digits tell one value from another, and nothing of it.
    private static func struckOut(_ secret: SecretReference) -> String {
        "\(secret.name), \(secret.fingerprint.hex.prefix(8))"
    }

    /// Nothing is at hand.
    public static let none = FileContents()

    private init() {}

    /// Asks for what the plan's file changes refer to, until enough was read for one review: first for one state of each
    /// job, so that a job with many leaves room for the others.
    ///
    /// - Parameters:
    ///   - whole: which files are wanted that have nothing to be compared with; with all of them, the scripts of hooks are
    ///     asked for, too.
    ///   - read: gives an object of at most `limit` bytes.
    public init(of plan: Plan, whole: WholeFiles, read: (_ digest: Digest, _ limit: Int) -> Object) {
        self.init(of: [plan], whole: whole, read: read)
    }

    /// Asks for what the changes of several plans refer to; see `init(of:whole:read:)`.
    public init(of plans: [Plan], whole: WholeFiles, read: (_ digest: Digest, _ limit: Int) -> Object) {
        var wanted: [Digest] = []
        let jobs = plans.flatMap { $0.waves.flatMap(\.jobs) }
        for index in 0..<(jobs.lazy.map(\.changes.count).max() ?? 0) {
            for job in jobs where index < job.changes.count {
                // If only the type or mode differs, there is nothing to compare.
                for change in job.changes[index].value where change.from != change.to && whole.includes(change) {
                    wanted += [change.from, change.to].compactMap(\.self)
                }
            }
        }
        for plan in plans {
            for tree in plan.modulesBesideContent where modules[tree] == nil {
                guard case .bytes(let bytes) = read(tree, Self.maximumFileSize), let tree = Tree(text: bytes) else {
                    continue
                }
                modules[tree.digest] = tree.entries
                wanted += tree.entries.map(\.digest)
            }
            switch whole {
            case .newCode: break
            case .all: wanted += plan.scripts
            }
            if case .runCommand(let command) = plan.work, let script = command.command.script {
                wanted.append(script.digest)
            }
        }
        var total = 0
        for digest in wanted where objects[digest] == nil {
            guard total < Self.maximumBytes, objects.count < Self.maximumObjects else {
                isCut = true
                return
            }
            let object = read(digest, Self.maximumFileSize)
            if case .bytes(let bytes) = object { total += bytes.count }
            objects[digest] = object
        }
        noteSealed(of: jobs, read)
        // Elsewhere than in the plan's bucket there is nothing, and that need not be said for every file.
        let isAnywhere = objects.values.contains { if case .missing = $0 { false } else { true } }
        if !isAnywhere { objects = [:] }
    }
}

extension SealedFile {
    fileprivate var endsWithCertificate: Bool {
        if case .secret(.secret(let secret))? = parts.last { secret.name.isCertificate } else { false }
    }
}
