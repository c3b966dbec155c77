internal import Catalog
internal import ControllerHooks
internal import Executor
internal import Model
internal import Plans
internal import Workers

/// The attempts of a run that have no outcome.
struct OpenAttempts: Sendable {
    private let open: [StepRecord]
    private let run: Run
    private let context: ExecutionContext

    init(_ open: [StepRecord], of run: Run, _ context: ExecutionContext) {
        self.open = open
        self.run = run
        self.context = context
    }

    /// Closes the attempts on their workers, best effort: what has not begun never will; what has died blocks nothing.
    ///
    /// - Returns: what is known of the attempts now, what follows for the catalog, and what a person should know.
    func close() async throws -> (writes: [StepWrite], changes: [CatalogChange], notes: [String]) {
        let plan: Plan
        do { plan = try context.plan(of: run) } catch let error as StoreError {
            let note = "the workers were not asked what runs there, since the run's plan cannot be read: \(error)"
            return ([], [], [note])
        }
        let transport = try await context.transport(for: plan.fleet)
        let graphs = try context.graphs(of: run)
        let steps = Dictionary(graphs.flatMap { $0.steps.map { ($0.id, $0) } }) { first, _ in first }
        var writes: [StepWrite] = []
        var changes: [CatalogChange] = []
        var notes: [String] = []
        let attempts = open.compactMap { record -> (record: StepRecord, step: Step, session: WorkerSession)? in
            guard let step = steps[record.step], let session = session(of: step, plan.fleet, transport) else {
                return nil
            }
            return (record, step, session)
        }
        let closings = await attempts.sideBySide(width: WorkerPool.width) { attempt in
            await Closing(of: attempt.record.attemptID, attempt.session)
        }
        for ((record, step, _), closing) in zip(attempts, closings) {
            switch closing {
            case .over(let state, let exitStatus, let detail, let note):
                if let note { notes.append("\(record.step): \(note)") }
                writes.append(
                    .outcome(
                        step: record.step, attempt: record.attempt, state: state, exitStatus: exitStatus,
                        detail: detail))
                if state == .succeeded { changes += step.task.rules.changesAtSuccess }
            case .open(let note): notes.append("\(record.step): \(note)")
            }
        }
        await transport.close()
        return (writes, changes, notes.sorted())
    }

    /// Where the receipt of a step's attempts is kept; nil where it has none: the next plan compares files and asks probes
    /// for itself.
    private func session(of step: Step, _ fleet: Fleet, _ transport: any Transport) -> WorkerSession? {
        let owner = context.owner(of: run)
        return switch step.task.rules.receipt {
        case .worker:
            step.worker.map { WorkerSession($0, of: fleet, owner: owner, transport: transport) }
        case .controller: HookRunner.session(context.bucketFolder, bucket: fleet.bucket, owner: owner)
        case nil: nil
        }
    }

    /// What is known of an attempt after an attempt to close it.
    private enum Closing: Sendable {
        case over(StepState, exitStatus: Int?, detail: String, note: String? = nil)
        case open(String)

        init(of attempt: String, _ session: WorkerSession) async {
            do {
                switch try await session.fence(attempt, tailLimit: 0) {
                case .fenced, .notStarted, .absent:
                    self = .over(.failed, exitStatus: nil, detail: "closed before it began")
                case .finished(let result):
                    self = .over(
                        result.isSuccess ? .succeeded : .failed, exitStatus: result.exitStatus,
                        detail: "it had ended when the run was abandoned")
                case .interrupted(let interruption):
                    try await session.settle(attempt)
                    self = .over(
                        .unknown, exitStatus: nil, detail: "it began, and its outcome is unknown",
                        note: interruption.orphans.isEmpty
                            ? nil
                            : "what ran it was killed, and processes of it still live: \(interruption.orphansText)"
                                + ". Where they are no service that it has started, end them before the next plan")
                case .running:
                    self = .open("it still runs; a later plan does nothing beside it there before its end")
                case .conflict, .busy, .generationChanged, .refused:
                    self = .open("its worker cannot say what became of it")
                case .notOwner:
                    self = .open("the worker belongs to another run or another controller")
                }
            } catch {
                self = .open("not closed: \(error)")
            }
        }
    }
}
