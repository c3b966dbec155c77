internal import Catalog
internal import Executor
internal import MaandBucket
internal import Model
internal import Plans
internal import Workers

/// Puts files that Maand has deployed into the store, as far as they can be found: with them earlier releases can be shown,
/// and put back.
struct AdoptedFiles {
    private let context: ExecutionContext
    /// What is kept, by the MD5 of the file.
    private(set) var kept: [String: Taking.Kept] = [:]
    /// Files that workers have and that were not fetched.
    private(set) var left = 0

    /// The folder with Maand's database.
    private let folder: String

    init(_ context: ExecutionContext, folder: String) {
        self.context = context
        self.folder = folder
    }

    /// Bytes that are fetched from all workers together, at most.
    private static let total = 256 << 20

    /// Keeps the files that Maand's last build has read, as far as they are those of the rows.
    ///
    /// - Throws: `MaandProblem`, `StoreError`.
    mutating func keepSources(of rows: [MaandRecords.Allocation]) throws {
        let wanted = rows.compactMap(\.hash).flatMap { Array($0.previousFiles) + Array($0.currentFiles) }
            .filter { !$0.key.hasSuffix(".tpl") }.map(\.value)
        var kept = kept
        let store = context.store
        try MaandDatabase.readSources(in: folder, Set(wanted)) { bytes, md5 in
            let digest = Digest.of(bytes)
            if !store.contains(digest) { try store.put(bytes) }
            kept[md5] = .bytes(digest, size: bytes.count)
        }
        self.kept = kept
    }

    /// A file on a worker that is as Maand has pushed it, and of which nothing is kept yet.
    private struct Wanted {
        var job: JobName
        var path: String
        var file: FoundFile
    }

    /// Keeps files that lie on workers as Maand has pushed them: what templates have become is nowhere else.
    ///
    /// - Parameters:
    ///   - found: by allocation and path.
    ///   - isSame: the workspace has the file, too.
    /// - Throws: `StoreError`, `CatalogError`, `VaultError`; a worker that does not answer any more is no error.
    mutating func fetch(
        _ rows: [MaandRecords.Allocation], found: [AllocationID: [String: FoundFile]], from fleet: Fleet,
        isSame: (AllocationID, _ path: String, FoundFile) -> Bool
    ) async throws {
        let wanted = wanted(rows, found, isSame)
        if wanted.isEmpty { return }
        var fleet = fleet
        fleet.workers = fleet.workers.filter { wanted[$0.worker] != nil }
        // If a secret of earlier is not known, it cannot be found in a file.
        guard let others = try MaandDatabase.secretsOfAllVersions(in: folder) else {
            left += wanted.values.reduce(0) { $0 + $1.count }
            return
        }
        let root = "\(fleet.workerRoot)/\(fleet.bucket)"
        let answers = try await context.answers(of: fleet) { worker, transport throws(TransportError) in
            try await WorkerSurvey.files(
                (wanted[worker] ?? []).map { ("\($0.job)/\($0.path)", $0.file) }, from: worker.text, root: root,
                over: transport)
        }
        let secrets = try SecretsInFiles(context, others: others)
        for (worker, files) in wanted {
            let bytes = (try? answers[worker]?.get()) ?? [:]
            for file in files {
                guard let bytes = bytes[file.file.digest], MaandDatabase.md5(bytes) == file.file.md5 else {
                    left += 1
                    continue
                }
                kept[file.file.md5] = try secrets.keep(bytes, of: file.job)
            }
        }
    }

    private mutating func wanted(
        _ rows: [MaandRecords.Allocation], _ found: [AllocationID: [String: FoundFile]],
        _ isSame: (AllocationID, _ path: String, FoundFile) -> Bool
    ) -> [WorkerName: [Wanted]] {
        let bounds = WorkerSurvey.Bounds()
        var wanted: [WorkerName: [Wanted]] = [:]
        var sizes: [WorkerName: Int] = [:]
        var total = 0
        var seen = Set<String>()
        for row in rows {
            guard let hash = row.hash, let found = found[row.id] else { continue }
            for path in row.pushedPaths.sorted() {
                guard let file = found[path], file.isForAll,
                    [hash.previousFiles[path], hash.currentFiles[path]].contains(file.md5),
                    kept[file.md5] == nil, !seen.contains(file.md5), !isSame(row.id, path, file)
                else { continue }
                if context.store.contains(file.digest) {
                    kept[file.md5] = .bytes(file.digest, size: file.size)
                    continue
                }
                let worker = row.id.worker
                guard file.size <= bounds.file, sizes[worker, default: 0] + file.size <= bounds.total,
                    wanted[worker, default: []].count < bounds.count, total + file.size <= Self.total
                else {
                    left += 1
                    continue
                }
                seen.insert(file.md5)
                sizes[worker, default: 0] += file.size
                total += file.size
                wanted[worker, default: []].append(.init(job: row.id.job, path: path, file: file))
            }
        }
        return wanted
    }
}
