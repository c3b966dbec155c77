internal import Catalog
internal import Model

/// The workers of one plan, ready for one run.
struct Workforce: Sendable {
    /// Workers that are asked something at the same time.
    static let width = 32

    /// Workers that are made ready at the same time over connections: those that do not answer at all cost one time-out
    /// together. How many of them exchange keys at a time, the transport limits.
    private static let connectingWidth = 512

    let sessions: [WorkerName: WorkerSession]
    private let latecomers: Latecomers
    private let addresses: [WorkerName: String]
    /// Removed workers that do not answer, or whose address or account is another's by now, and why.
    let absent: [WorkerName: String]
    /// What the run goes on without from now on, as it is recorded.
    let left: [LeftBehind]

    /// The way to a worker.
    ///
    /// One that did not answer when the run was continued is asked again here, when it is needed.
    ///
    /// - Throws: `NotReady`, with what keeps the worker from being used.
    func session(_ worker: WorkerName?) async throws(NotReady) -> WorkerSession {
        guard let worker, addresses[worker] != nil else {
            throw NotReady(.refused, "the plan does not say how to reach the worker")
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
    /// and has no session. Allocations on another one that cannot be used are left behind, as far as `Absences` says.
    /// Where a run is in its middle, the rest does not hold anybody up either, as long as any worker answers: its own steps
    /// find it unreachable.
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
        var unusable: [WorkerName: [String]] = [:]
        let itinerary = recorder.itinerary
        let needed = itinerary.allocations(leftBy: records)
        let hasBegun = records.contains { !isPreflight($0.step) }
        let removed = Set(plan.workers.filter(\.isRemoved).map(\.worker))
        let settled = try recorder.catalog.settledRuns(before: recorder.run.id)
        let lineage = try recorder.catalog.lineage()
        var fresh: [(StepID, generation: String)] = []
        try await withThrowingTaskGroup(of: (WorkerSession, WorkerName, Readiness).self) { group in
            // A worker on which nothing is left to do need not answer any more.
            let workers = Set(needed.lazy.map(\.worker))
            var waiting = plan.workers.filter { workers.contains($0.worker) }[...]
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
            for _ in 0..<(transport.reconnectWindow == nil ? width : connectingWidth) { add() }
            while let (asked, worker, readiness) = try await group.next() {
                switch readiness {
                case .unreachable(let reason) where removed.contains(worker): absent[worker] = reason
                case .unrecognised(let reason) where removed.contains(worker): absent[worker] = reason
                case .unreachable(let reason): silent[worker] = (asked, reason)
                case .unrecognised(let reason): faults[worker] = [reason]
                case .unusable(let list): unusable[worker] = list
                case .refused(let reason): faults[worker] = [reason]
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
        let touched = itinerary.workers(touchedBy: records)
        let busy = itinerary.jobsWithHooks(inFlight: records)
        let absences = Absences(
            plan.workers.map(\.worker).filter { !touched.contains($0) }.flatMap { worker -> [Absences.Candidate] in
                guard let reason = silent[worker]?.reason ?? unusable[worker]?.joined(separator: "; ") else {
                    return []
                }
                return needed.filter { $0.worker == worker && !busy.contains($0.job) }.sorted()
                    .map { .init(allocation: $0, reason: reason) }
            }, in: itinerary)
        let left = Set(absences.leaving.map(\.allocation))
        let stillNeeded = Set(needed.lazy.filter { !left.contains($0) }.map(\.worker))
        faults.merge(unusable.filter { stillNeeded.contains($0.key) }) { first, _ in first }
        let waited = silent.filter { stillNeeded.contains($0.key) }
        if !hasBegun || sessions.isEmpty { faults.merge(waited.mapValues { [$0.reason] }) { first, _ in first } }
        guard faults.isEmpty else {
            throw RolloutError.preflight(
                hasBegun ? recorder.run.id : nil,
                plan.workers.flatMap { worker in (faults[worker.worker] ?? []).map { "\(worker.worker): \($0)" } },
                excess: hasBegun ? [] : absences.excess.map(\.description))
        }
        try await recorder.preflight(fresh)
        try await recorder.leave(absences.leaving)
        for (worker, silence) in waited.sorted(by: { $0.key < $1.key }) {
            recorder.observe(.warning("\(worker): \(silence.reason). It is asked again when its turn comes"))
        }
        return Workforce(
            sessions: sessions,
            latecomers: Latecomers(
                waiting: waited.mapValues(\.session), takeOver: takeOver, lineage: lineage, recorder: recorder,
                generations: known),
            addresses: Dictionary(
                plan.workers.map { ($0.worker, $0.address) }, uniquingKeysWith: { first, _ in first }),
            absent: absent, left: absences.leaving)
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
        /// It answers, and nothing can be run there: a full disk, a missing tool, sudo.
        case unusable([String])
        /// It is somebody else's, or was used by a later run.
        case refused(String)

        init(of session: WorkerSession, takeOver: Bool, lineage: RunLineage?, settled: [String] = []) async {
            do {
                let report = try await session.preflight(takeOver: takeOver, lineage: lineage, settled: settled)
                if let owner = report.otherOwner {
                    self = .refused(
                        "it belongs to run \(owner.sequence) (\(owner.run)) of the controller \(owner.controller), "
                            + "which is another one, a later run than this, or one that this catalog does not know, as an "
                            + "old copy of maand.db would not. After an old copy was put back: maand-plan catalog refresh. "
                            + "Where the other controller is gone for good: --take-over")
                } else if report.isReady {
                    var session = session
                    session.noteClock(of: report)
                    self = .ready(session, generation: report.generation)
                } else {
                    self = .unusable(report.faults)
                }
            } catch {
                switch error.kind {
                case .unreachable, .refused, .timedOut, .connectionLost: self = .unreachable(error.message)
                case .authentication, .unknownHostKey, .changedHostKey:
                    // The jump host's key or account says nothing of the worker.
                    self = error.isOfJumpHost ? .refused(error.message) : .unrecognised(error.message)
                case .malformedAnswer, .workerFault: self = .unusable([error.message])
                case .cancelled, .source: self = .refused(error.message)
                }
            }
        }
    }
}

/// Why a worker cannot be used now.
struct NotReady: Error {
    enum Kind {
        case unreachable
        /// It answers, and nothing can be run there.
        case unusable
        /// It is not to be used, whoever asks again.
        case refused
    }

    let kind: Kind
    /// For people.
    let reason: String

    init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }

    var isUnreachable: Bool { kind == .unreachable }
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
            throw NotReady(.unreachable, "it is gone for good, and what it ran was given up")
        }
        switch await Workforce.Readiness(of: asked, takeOver: takeOver, lineage: lineage) {
        case .unreachable(let reason): throw NotReady(.unreachable, reason)
        case .unrecognised(let reason), .refused(let reason): throw NotReady(.refused, reason)
        case .unusable(let faults): throw NotReady(.unusable, faults.joined(separator: "; "))
        case .ready(var session, let generation):
            // Somebody else may have asked meanwhile.
            if let session = ready[worker] { return session }
            let step = Workforce.preflightStep(worker)
            session.generation = generations[step] ?? generation
            if generations[step] == nil {
                do {
                    try await recorder.preflight([(step, generation)])
                } catch {
                    throw NotReady(.refused, "what its receipts are was not recorded: \(error)")
                }
            }
            ready[worker] = session
            waiting[worker] = nil
            return session
        }
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
