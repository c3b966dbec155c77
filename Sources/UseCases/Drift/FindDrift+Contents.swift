internal import Catalog
internal import Executor
internal import Model
internal import Plans
internal import Workers

/// How much is fetched to show it.
private enum Bounds {
    /// Bytes of one file.
    static let file = 64 << 10
    /// Bytes of all files together, of both sides.
    static let total = 8 << 20
    static let files = 400
    /// Files that one worker is asked for at a time.
    static let each = 8
}

extension FindDrift {
    /// Fetches the bytes of changed files, as far as they are to be shown: each content once, from one of the workers that
    /// have it.
    func fetchContents(for report: inout DriftReport, from fleet: Fleet, over transport: any Transport) async {
        let wanted = choose(&report)
        guard !wanted.isEmpty, let run = try? catalog.runs(limit: 1).first?.id else { return }
        let questions = Dictionary(grouping: wanted) { index in
            AllocationID(job: report.files[index].job, worker: report.files[index].workers[0])
        }.flatMap { id, indices in
            stride(from: 0, to: indices.count, by: Bounds.each).map { start in
                (id, indices[start..<min(start + Bounds.each, indices.count)].map { ($0, report.files[$0].path) })
            }
        }
        let owner = Owner(controller: context.controller, sequence: 0, run: "-")
        let answers = await questions.sideBySide(width: WorkerPool.width) { id, paths in
            let session = WorkerSession(id.worker, of: fleet, owner: owner, transport: transport)
            let files = try? await session.show(paths.map(\.1), of: id.job.text, limit: Bounds.file)
            return paths.map { index, path in (index, files?[path]) }
        }
        for (index, bytes) in answers.joined() { take(bytes, for: &report.files[index], in: run) }
    }

    /// The changed files that are fetched; the others get a note.
    private func choose(_ report: inout DriftReport) -> [Int] {
        var wanted: [Int] = []
        var total = 0
        for index in report.files.indices {
            let file = report.files[index]
            guard file.change == .changed, file.thing == .file, let size = file.foundSize,
                let expectedSize = file.expectedSize
            else { continue }
            if size > Bounds.file || expectedSize > Bounds.file {
                report.files[index].note = "too large to show"
            } else if wanted.count >= Bounds.files || total + size + expectedSize > Bounds.total {
                report.files[index].note = "not fetched: there is enough to show"
            } else {
                wanted.append(index)
                total += size + expectedSize
            }
        }
        return wanted
    }

    /// - Parameter bytes: what the worker says that the file holds; nil if it says nothing.
    private func take(_ bytes: [UInt8]?, for file: inout DriftReport.File, in run: RunID) {
        guard let bytes, Digest.of(bytes) == file.found else {
            file.note = "it could not be read there, or has changed meanwhile"
            return
        }
        if context.sealedFiles.mayHoldSecrets(bytes, in: run, on: file.workers[0]) {
            // Of what has secrets in it, neither bytes nor a digest are told.
            (file.found, file.foundSize, file.isSealed) = (nil, nil, true)
            file.note = "it may hold values of secrets, which are not shown"
            return
        }
        guard let digest = file.expected, let expected = try? context.store.read(digest, limit: Bounds.file) else {
            file.note = "the bucket's store does not have what was promoted"
            return
        }
        file.contents = .init(expected: expected, found: bytes)
    }
}
