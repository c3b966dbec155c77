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
    /// The files of `_modules` folders whose hooks run without any file of their job being pushed, by the folder's tree.
    private(set) var modules: [Digest: [TreeEntry]] = [:]
    /// There was more to read than is read for one review.
    private(set) var isCut = false

    /// Most bytes of one file that are read for a diff.
    public static let maximumFileSize = 256 * 1024
    /// Bytes that are read for one review.
    static let maximumBytes = 8 << 20
    /// Objects that are read for one review.
    static let maximumObjects = 2000

    /// What is shown in the place of a secret's value: the digits tell one value from another, and nothing of it.
    private static func struckOut(_ secret: SecretReference) -> String {
        "[\(secret.name), \(secret.fingerprint.hex.prefix(8))]"
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
        var wanted: [Digest] = []
        var sealed = Set<Digest>()
        let jobs = plan.waves.flatMap(\.jobs)
        for index in 0..<(jobs.lazy.map(\.changes.count).max() ?? 0) {
            for job in jobs where index < job.changes.count {
                // Where only the type or mode differs there is nothing to compare.
                for change in job.changes[index].value where change.from != change.to && whole.includes(change) {
                    wanted += [change.from, change.to].compactMap(\.self)
                    // What was there may have been a file with secrets; what comes is one only if the plan says so.
                    if let from = change.from { sealed.insert(from) }
                    if let to = change.to, job.secrets.contains(where: { $0.files.contains(change.path) }) {
                        sealed.insert(to)
                    }
                }
            }
        }
        for tree in plan.modulesBesideContent where modules[tree] == nil {
            guard case .bytes(let bytes) = read(tree, Self.maximumFileSize), let tree = Tree(text: bytes) else {
                continue
            }
            modules[tree.digest] = tree.entries
            wanted += tree.entries.map(\.digest)
        }
        switch whole {
        case .newModules: break
        case .all: wanted += plan.scripts
        }
        if case .runCommand(let command) = plan.work, let script = command.command.script {
            wanted.append(script.digest)
        }
        var total = 0
        for digest in wanted where objects[digest] == nil {
            guard total < Self.maximumBytes, objects.count < Self.maximumObjects else {
                isCut = true
                return
            }
            var object = read(digest, Self.maximumFileSize)
            if case .bytes(let bytes) = object, sealed.contains(digest), let file = SealedFile(bytes: bytes) {
                object = .bytes(file.shown(Self.struckOut))
            }
            if case .bytes(let bytes) = object { total += bytes.count }
            objects[digest] = object
        }
        // Elsewhere than in the plan's bucket there is nothing, and that need not be said for every file.
        let isAnywhere = objects.values.contains { if case .missing = $0 { false } else { true } }
        if !isAnywhere { objects = [:] }
    }
}
