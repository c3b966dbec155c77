internal import Model
internal import Plans

/// Compares what a worker has of one allocation with what is recorded of it, by the rules of a run: a mode alone is no
/// difference, nor is what targets of ours or the service have made of pushed files; and of an allocation on which something
/// was begun and not promoted, nobody knows what its files should be.
struct AllocationComparison {
    /// A path as it was promoted.
    struct Expected {
        let path: String
        let kind: TreeEntry.Kind
        /// As it is on the worker.
        let digest: Digest
        let size: Int
        let isSealed: Bool
    }

    /// What a worker has of a job.
    struct Found {
        /// Files, links and folders; what counts as pushed is as it was pushed.
        let entries: [TreeEntry]
        /// The bytes of `manifest.json`; empty if they are not known.
        let manifest: [UInt8]
        /// The worker knows which paths were deployed, so that others of `entries` are left of an earlier push.
        let isListed: Bool
    }

    /// Paths of one allocation that are named; the rest is counted.
    static let pathLimit = 200

    /// Nil if nothing differs.
    private(set) var difference: DriftReport.Difference?
    /// Without workers.
    private(set) var files: [DriftReport.File] = []

    /// - Parameters:
    ///   - expected: the files that were promoted; not needed where something is unfinished or removed. Files of which nobody
    ///     knows what they are on the worker are left out.
    ///   - unknown: the paths of these.
    ///   - found: nil if nothing of the job is on the worker.
    init(
        _ allocation: AllocationID, _ record: AllocationRecord, expected: [Expected], unknown: [String] = [],
        found: Found?
    ) {
        var difference = DriftReport.Difference(allocation)
        difference.promoted = record.promoted?.version
        if !record.isThere {
            if let found {
                difference.kinds = [.unexpected]
                difference.promoted = nil
                difference.found = Version.text(inManifest: found.manifest)
            }
        } else if let unfinished = record.unfinished {
            difference.kinds = [.unfinished]
            difference.unfinished = unfinished.version
        } else if let promoted = record.promoted {
            if let found {
                compare(expected, unknown, found, allocation.job)
                difference.paths = files.count
                if !files.isEmpty { difference.kinds = [.files] }
                if files.contains(where: { $0.path == "manifest.json" }),
                    let version = Version.text(inManifest: found.manifest), version != promoted.version
                {
                    difference.kinds.append(.version)
                    difference.found = version
                }
                files = Array(files.prefix(Self.pathLimit))
            } else {
                difference.kinds = [.gone]
            }
        }
        if !difference.kinds.isEmpty { self.difference = difference }
    }

    private mutating func compare(_ expected: [Expected], _ unknown: [String], _ found: Found, _ job: JobName) {
        var there: [PathBytes: TreeEntry] = [:]
        for entry in found.entries { there[PathBytes(entry.path)] = entry }
        for path in unknown { there[PathBytes(path)] = nil }
        // Where the worker has no list of its own, only files were looked for.
        for path in expected where found.isListed || path.kind.isFile {
            if let file = Self.compare(path, there.removeValue(forKey: PathBytes(path.path)), job) {
                files.append(file)
            }
        }
        guard found.isListed else { return }
        for entry in there.values where entry.kind != .emptyDirectory {
            var file = DriftReport.File(job, path: entry.path, .extra)
            file.note(entry)
            files.append(file)
        }
        files.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    private static func compare(_ expected: Expected, _ found: TreeEntry?, _ job: JobName) -> DriftReport.File? {
        let change: DriftReport.Change
        switch (Thing(expected.kind), found.map { Thing($0.kind) }) {
        // A push makes it without calling it a difference.
        case (.folder, nil), (.folder, .folder?): return nil
        case (_, nil): change = .missing
        case (let wanted, let thing?) where wanted != thing: change = .replaced
        case _:
            if expected.digest == found?.digest { return nil }
            change = .changed
        }
        var file = DriftReport.File(job, path: expected.path, change)
        file.isSealed = expected.isSealed
        if let found { file.note(found) }
        if !expected.isSealed, expected.kind != .emptyDirectory {
            file.expected = expected.digest
            file.expectedSize = expected.size
        }
        return file
    }

    private typealias Thing = DriftReport.Thing
}

extension DriftReport.File {
    fileprivate mutating func note(_ found: TreeEntry) {
        thing = DriftReport.Thing(found.kind)
        guard !isSealed, found.kind != .emptyDirectory else { return }
        self.found = found.digest
        foundSize = found.size
    }
}

extension DriftReport.Thing {
    fileprivate init(_ kind: TreeEntry.Kind) {
        switch kind {
        case .file, .executable, .sealed: self = .file
        case .symlink: self = .link
        case .emptyDirectory: self = .folder
        }
    }
}
