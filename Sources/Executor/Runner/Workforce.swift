internal import Catalog
internal import Model

/// The workers of one plan, and how they are reached.
struct Workforce: Sendable {
    private let sessions: [WorkerName: WorkerSession]
    private let addresses: [WorkerName: String]

    func session(_ worker: WorkerName) -> WorkerSession? { sessions[worker] }

    /// Where probes and services find the worker.
    func address(_ worker: WorkerName) -> String? { addresses[worker] }
}
