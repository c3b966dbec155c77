internal import MaandBucket
internal import Model
public import Plans
internal import Workers

extension Adoption {
    /// The id of a bucket of Maand whose database is lost: what its workers say.
    ///
    /// - Throws: `MaandProblem` if they say nothing, or several ids; `TransportFailure`.
    public func findBucket(on workers: [PlanWorker]) async throws -> String {
        let fleet = context.configuration.fleet(workers)
        let answers = try await context.answers(of: fleet) { worker, transport throws(TransportError) in
            try await WorkerSurvey.buckets(on: worker.text, workerRoot: fleet.workerRoot, over: transport)
        }
        var found = Set<String>()
        var silent: [String] = []
        for worker in workers.map(\.worker) {
            switch answers[worker] {
            case .success(let ids)?: found.formUnion(ids)
            case .failure(let error)?: silent.append("\(worker): \(error.message)")
            case nil: continue
            }
        }
        guard found.count == 1, let id = found.first else { throw MaandProblem(found: found.sorted(), silent: silent) }
        return id
    }

    /// Asks for the files that Maand has pushed, and for those that a deploy would push: nothing else in the folder of a job
    /// is looked at.
    func surveys(
        _ rows: [MaandRecords.Allocation], of fleet: Fleet, planned: [AllocationID: Tree]
    ) async throws -> [WorkerName: Swift.Result<WorkerSurvey, TransportError>] {
        var paths: [WorkerName: [JobName: Set<String>]] = [:]
        for row in rows {
            let pushed = (planned[row.id]?.pushed ?? []).filter(\.kind.isFile).map(\.path)
            paths[row.id.worker, default: [:]][row.id.job] = row.pushedPaths.union(pushed)
        }
        let root = "\(fleet.workerRoot)/\(fleet.bucket)"
        return try await context.answers(of: fleet) { [paths] worker, transport throws(TransportError) in
            try await WorkerSurvey.ask(worker.text, root: root, paths: paths[worker] ?? [:], over: transport)
        }
    }
}
