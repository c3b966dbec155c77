internal import Model
internal import Plans
internal import Synchronization

/// The graph that a run follows, for all of its tasks. Only the order of a job's batches may change, before any of them
/// begins, and what is left behind grows.
final class SharedGraph: Sendable {
    private let graph: Mutex<StepGraph>

    init(_ graph: StepGraph) { self.graph = Mutex(graph) }

    var current: StepGraph { graph.withLock { $0 } }

    func follow(_ graph: StepGraph) {
        self.graph.withLock { current in
            let (left, spared) = (current.leftBehind, current.notNeeded)
            current = graph
            current.leave(left)
            spared.forEach { current.spare($0) }
        }
    }

    func leave(_ subjects: some Sequence<Subject>) { graph.withLock { $0.leave(subjects) } }

    func spare(_ worker: WorkerName) { graph.withLock { $0.spare(worker) } }
}
