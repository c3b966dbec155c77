internal import Catalog
internal import Model

/// The workers of one plan, ready for one run.
struct Workforce: Sendable {
    /// Workers that are made ready at the same time.
    static let width = 32

    let sessions: [WorkerName: WorkerSession]
    private let latecomers: Latecomers
    private let addresses: [WorkerName: String]
    /// Removed workers that do not answer, or whose address or account is another's by now, and why.
    let absent: [WorkerName: String]

    /// The way to a worker.
    ///
    /// One that did not answer when the run was continued is asked again here, when it is needed.
    ///
    /// - Throws: `NotReady`, with what keeps the worker from being used.
    func session(_ worker: WorkerName?) async throws(NotReady) -> WorkerSession {
        guard let worker, addresses[worker] != nil else {
            throw NotReady(reason: "the plan does not say how to reach the worker", isUnreachable: false)
        }
        if let session = sessions[worker] { return session }
        return try await latecomers.session(worker)
    }

    /// Where probes and services find the worker.
    func address(_ worker: WorkerName) -> String? { addresses[worker] }

    /// Asks every worker once whether it is ready, and takes it for the run.
    ///
    /// What the receipts directory of a worker was when the run first saw it is recorded; a later process compares, so
    /// that a directory that was emptied or put back from a copy is not taken for one in which nothing happened.
    ///
    /// A removed worker that does not answer, or at whose address another host does, holds nobody up: it is in `absent`,
    /// and has no session. Where a run is in
    /// its middle, another one does not either, as long as any worker answers: its own steps find it unreachable.
    ///
    /// - Parameter takeOver: whether workers are taken from another controller, or from a later run.
    /// - Throws: `RolloutError.preflight` with all faults of all workers.
    static func assemble(
        _ plan: Plan, owner: Owner, takeOver: Bool, transport: any Transport, recorder: Recorder, records: [StepRecord]
    ) async throws -> Workforce {
        let known = Dictionary(
            records.compactMap { record in record.detail.map { (record.step, $0) } }, uniquingKeysWith: { _, b in b })
        var sessions: [WorkerName: WorkerSession] = [:]
        var faults: [WorkerName: [String]] = [:]
        var absent: [WorkerName: String] = [:]
        var silent: [WorkerName: (session: WorkerSession, reason: String)] = [:]
        let hasBegun = records.contains { !isPreflight($0.step) }
        let removed = Set(plan.workers.filter(\.isRemoved).map(\.worker))
        let settled = try recorder.catalog.settledRuns(before: recorder.run.id)
        let lineage = try recorder.catalog.lineage()
        var fresh: [(StepID, generation: String)] = []
        try await withThrowingTaskGroup(of: (WorkerSession, WorkerName, Readiness).self) { group in
            let needed = recorder.itinerary.workers(leftBy: records)
            // A worker on which nothing is left to do need not answer any more.
            var waiting = plan.workers.filter { needed.contains($0.worker) }[...]
            func add() {
                guard let worker = waiting.popFirst()?.worker else { return }
                let session = WorkerSession(
                    worker: worker.text, bucket: plan.bucket, workerRoot: plan.workerRoot, owner: owner,
                    transport: transport)
                group.addTask {
                    let readiness = await Readiness(
                        of: session, takeOver: takeOver, lineage: lineage, settled: settled)
                    return (session, worker, readiness)
                }
            }
            for _ in 0..<width { add() }
            while let (asked, worker, readiness) = try await group.next() {
                switch readiness {
                case .unreachable(let reason) where removed.contains(worker): absent[worker] = reason
                case .unrecognised(let reason) where removed.contains(worker): absent[worker] = reason
                case .unreachable(let reason): silent[worker] = (asked, reason)
                case .unrecognised(let reason): faults[worker] = [reason]
                case .faults(let list): faults[worker] = list
                case .ready(var session, let generation):
                    let step = preflightStep(worker)
                    if known[step] == nil { fresh.append((step, generation)) }
                    session.generation = known[step] ?? generation
                    sessions[worker] = session
                    // Another host than this one, whose clock may be another.
                    if transport.reconnectWindow != nil { recorder.noteClock(of: worker, session) }
                }
                add()
            }
        }
        if !hasBegun || sessions.isEmpty { faults.merge(silent.mapValues { [$0.reason] }) { first, _ in first } }
        guard faults.isEmpty else {
            throw RolloutError.preflight(
                recorder.run.id,
                plan.workers.flatMap { worker in (faults[worker.worker] ?? []).map { "\(worker.worker): \($0)" } })
        }
        try await recorder.preflight(fresh)
        for (worker, silence) in silent.sorted(by: { $0.key < $1.key }) {
            recorder.observe(.warning("\(worker): \(silence.reason). It is asked again when its turn comes"))
        }
        return Workforce(
            sessions: sessions,
            latecomers: Latecomers(
                waiting: silent.mapValues(\.session), takeOver: takeOver, lineage: lineage, recorder: recorder,
                generations: known),
            addresses: Dictionary(
                plan.workers.map { ($0.worker, $0.address) }, uniquingKeysWith: { first, _ in first }),
            absent: absent)
    }

    private static let preflightPrefix = "@preflight/"

    /// Whether an id is of no step of the plan, but of what was seen before any began.
    static func isPreflight(_ step: StepID) -> Bool { step.text.hasPrefix(preflightPrefix) }

    /// Under this id it is recorded what the receipts directory of a worker was.
    static func preflightStep(_ worker: some CustomStringConvertible) -> StepID {
        StepID("\(preflightPrefix)\(worker)")
    }

    fileprivate enum Readiness: Sendable {
        case ready(WorkerSession, generation: String)
        case unreachable(String)
        /// Somebody answers who is not known to be the worker, or who does not know this program.
        case unrecognised(String)
        case faults([String])

        init(of session: WorkerSession, takeOver: Bool, lineage: RunLineage?, settled: [String] = []) async {
            do {
                let report = try await session.preflight(takeOver: takeOver, lineage: lineage, settled: settled)
                if let owner = report.otherOwner {
                    self = .faults([
                        "it belongs to run \(owner.sequence) (\(owner.run)) of the controller \(owner.controller), "
                            + "which is another one, a later run than this, or one that this catalog does not know, as an "
                            + "old copy of maand.db would not. After an old copy was put back: maand-plan catalog refresh. "
                            + "Where the other controller is gone for good: --take-over"
                    ])
                } else if report.isReady {
                    var session = session
                    session.noteClock(of: report)
                    self = .ready(session, generation: report.generation)
                } else {
                    self = .faults(report.faults)
                }
            } catch {
                switch error.kind {
                case .unreachable, .refused, .timedOut, .connectionLost: self = .unreachable(error.message)
                case .authentication, .unknownHostKey, .changedHostKey:
                    // The jump host's key or account says nothing of the worker.
                    self = error.isOfJumpHost ? .faults([error.message]) : .unrecognised(error.message)
                case .cancelled, .source, .malformedAnswer, .workerFault: self = .faults([error.message])
                }
            }
        }
    }
}

/// Why a worker cannot be used now.
struct NotReady: Error {
    let reason: String
    let isUnreachable: Bool
}

/// Workers that did not answer when a run was continued.
private actor Latecomers {
    private var waiting: [WorkerName: WorkerSession]
    private var ready: [WorkerName: WorkerSession] = [:]
    private let takeOver: Bool
    private let lineage: RunLineage?
    private let recorder: Recorder
    private let generations: [StepID: String]

    init(
        waiting: [WorkerName: WorkerSession], takeOver: Bool, lineage: RunLineage?, recorder: Recorder,
        generations: [StepID: String]
    ) {
        self.waiting = waiting
        self.takeOver = takeOver
        self.lineage = lineage
        self.recorder = recorder
        self.generations = generations
    }

    func session(_ worker: WorkerName) async throws(NotReady) -> WorkerSession {
        if let session = ready[worker] { return session }
        guard let asked = waiting[worker] else {
            throw NotReady(reason: "it is gone for good, and what it ran was given up", isUnreachable: true)
        }
        switch await Workforce.Readiness(of: asked, takeOver: takeOver, lineage: lineage) {
        case .unreachable(let reason): throw NotReady(reason: reason, isUnreachable: true)
        case .unrecognised(let reason): throw NotReady(reason: reason, isUnreachable: false)
        case .faults(let faults): throw NotReady(reason: faults.joined(separator: "; "), isUnreachable: false)
        case .ready(var session, let generation):
            // Somebody else may have asked meanwhile.
            if let session = ready[worker] { return session }
            let step = Workforce.preflightStep(worker)
            session.generation = generations[step] ?? generation
            if generations[step] == nil {
                do {
                    try await recorder.preflight([(step, generation)])
                } catch {
                    throw NotReady(reason: "what its receipts are was not recorded: \(error)", isUnreachable: false)
                }
            }
            ready[worker] = session
            waiting[worker] = nil
            return session
        }
    }
}

extension Itinerary {
    /// The workers of the steps that are not done yet, and those whose health they wait for.
    fileprivate func workers(leftBy records: [StepRecord]) -> Set<WorkerName> {
        let done = Set(records.lazy.filter { $0.state == .succeeded || $0.state == .skipped }.map(\.step))
        var left = Set<WorkerName>()
        for unit in units {
            var isProbed = false
            for step in unit.steps where !done.contains(steps[step].id) {
                if let worker = steps[step].worker, steps[step].kind.contactsWorker { left.insert(worker) }
                isProbed = isProbed || steps[step].kind.isProbe
            }
            if isProbed, let job = unit.steps.first.flatMap(job(of:)) { left.formUnion(job.active) }
        }
        return left
    }
}

extension Recorder {
    /// Nothing here depends on it, but what runs there and what looks at both hosts' logs may.
    fileprivate func noteClock(of worker: WorkerName, _ session: WorkerSession) {
        guard let shows = session.time(after: .zero) else { return }
        let ahead = shows - Int(clock.now().milliseconds / 1000)
        guard abs(ahead) > Self.tolerableSkew else { return }
        observe(.warning("\(worker): its clock is \(abs(ahead)) s \(ahead > 0 ? "ahead of" : "behind") this host's"))
    }

    /// Seconds.
    private static let tolerableSkew = 60
}
