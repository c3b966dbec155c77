internal import GRDB
internal import Model
internal import Plans

extension Catalog {
    /// Writes what became known of a job's gate, within the transaction that is open; nothing where the change is of another
    /// kind.
    func applyGate(_ change: CatalogChange, _ db: Database) throws {
        switch change {
        case .gateOwed(let allocations):
            let statement = try db.cachedStatement(
                sql: "UPDATE allocation SET gate_owed = 1 WHERE job = ? AND worker = ? AND standing = 'active'")
            for allocation in allocations {
                try statement.execute(arguments: [allocation.job.text, allocation.worker.text])
            }
        case .gatePassed(let job, let workers):
            try setGate("gate_owed = 0, gate_failed = 0", of: job, try withDebt(job, among: workers, db), db)
        case .gateFailed(let job, let covered, let failing):
            try setGate("gate_failed = 0", of: job, try withDebt(job, among: covered, db), db)
            try setGate("gate_failed = 1", of: job, failing, db)
        case .gateForgotten(let job):
            try db.cachedStatement(
                sql: """
                    UPDATE allocation SET gate_owed = 0, gate_failed = 0
                    WHERE job = ? AND (gate_owed = 1 OR gate_failed = 1)
                    """
            ).execute(arguments: [job.text])
        case .began, .operating, .drifted, .tookBack, .promoted, .stopped, .stoppedByHand, .stoppedAgain, .started,
            .incomplete, .rolloutOrder,
            .assignedPorts, .drained, .renamed, .adopted, .seen:
            break
        }
    }

    /// Those of `workers` on which the job has not passed its gate: mostly few, however many a gate has asked.
    private func withDebt(_ job: JobName, among workers: [WorkerName], _ db: Database) throws -> [WorkerName] {
        let found: [WorkerName] = try rows(
            of: "allocation", db, "SELECT worker FROM allocation WHERE job = ? AND (gate_owed = 1 OR gate_failed = 1)",
            [job.text]
        ).map { try $0.name(0) }
        if found.isEmpty { return [] }
        let asked = Set(workers)
        return found.filter(asked.contains)
    }

    private func setGate(_ set: String, of job: JobName, _ workers: [WorkerName], _ db: Database) throws {
        if workers.isEmpty { return }
        let statement = try db.cachedStatement(
            sql: "UPDATE allocation SET \(set) WHERE job = ? AND worker = ? AND standing = 'active'")
        for worker in workers { try statement.execute(arguments: [job.text, worker.text]) }
    }
}
