internal import Catalog
internal import Model

/// The workers of one plan, and how they are reached.
struct Workforce: Sendable {
    private let sessions: [WorkerName: WorkerSession]
    private let addresses: [WorkerName: String]

    init(_ plan: Plan, bucketFolder: String) {
        sessions = Dictionary(
            uniqueKeysWithValues: plan.workers.map {
                (
                    $0.worker,
                    WorkerSession(root: "\(bucketFolder)/workers/\($0.worker)\(plan.workerRoot)/\(plan.bucket)")
                )
            })
        addresses = Dictionary(uniqueKeysWithValues: plan.workers.map { ($0.worker, $0.address) })
    }

    func session(_ worker: WorkerName) -> WorkerSession? { sessions[worker] }

    /// Where probes and services find the worker.
    func address(_ worker: WorkerName) -> String? { addresses[worker] }
}
