package import Catalog
package import Model
package import Plans
internal import ThisHost
package import Workers

/// The workers of one plan, ready for one run.
package struct WorkerPool: Sendable {
    /// Workers that are asked something at the same time.
    package static let width = 32

    /// Workers that are made ready at the same time over connections: those that do not answer at all cost one time-out
    /// together. How many of them exchange keys at a time, the transport limits.
    package static let connectingWidth = 512

    let sessions: [WorkerName: WorkerSession]
    private let reconnectingWorkers: ReconnectingWorkers
    private let addresses: [WorkerName: String]
    /// Removed workers that do not answer, or whose address or account is another's by now, and why.
    package let absent: [WorkerName: String]

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
        return try await reconnectingWorkers.session(worker)
    }

    /// The same for a worker that was asked whether it is ready, or will be; nil for others: no step needs them.
    func sessionIfAsked(_ worker: WorkerName) async throws(NotReady) -> WorkerSession? {
        if let session = sessions[worker] { return session }
        return await reconnectingWorkers.has(worker) ? try await reconnectingWorkers.session(worker) : nil
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
    /// What the plan renames is recorded together with what was seen, once all of these machines have shown who they are.
    ///
    /// - Parameter takeOver: whether workers are taken from another controller, or from a later run.
    /// - Throws: `UnfitWorkers`, with all faults of all workers.
    package static func assemble(
        _ plan: Plan, owner: Owner, takeOver: Bool, transport: any Transport, recorder: Recorder, records: [StepRecord]
    ) async throws -> WorkerPool {
        let graph = recorder.graph
        let needed = graph.subjects(leftBy: records)
        let lineage = try recorder.catalog.lineage()
        let known = Dictionary(
            records.compactMap { record in record.detail.map { (record.step, $0) } }, uniquingKeysWith: { _, b in b })
        let settled = try recorder.catalog.settledRuns(before: recorder.run.id)
        // A worker on which nothing is left to do need not answer any more.
        let renames = plan.renames(leftBy: records)
        let workers = Set(needed.lazy.compactMap(\.worker)).union(renames.map(\.to))
        let asked = plan.fleet.workers.filter { workers.contains($0.worker) }
        recorder.observe(.asking(.readiness, asked.map(\.worker)))
        var answers = await ask(asked, over: transport) { worker in
            let session = WorkerSession(worker, of: plan.fleet, owner: owner, transport: transport)
            let readiness = await Readiness(
                of: session, takeOver: takeOver, lineage: lineage, isSeen: known[StepID.preflight(worker)] != nil,
                settled: settled)
            recorder.observe(.answered(.readiness, worker))
            return (session, readiness)
        }
        for (worker, session) in answers.sessions {
            // Another host than this one, whose clock may be another.
            if transport.reconnectWindow != nil { recorder.noteClock(of: worker, session) }
            if let generation = known[StepID.preflight(worker)] { answers.sessions[worker]?.generation = generation }
        }
        let machines = try recorder.catalog.machines()
        answers.dismissStrangers(machines)
        let others = answers.otherNames(in: machines, of: plan)
        if !others.isEmpty {
            let there = try recorder.catalog.snapshot().allocations.filter { $0.value.isThere }
            let carrying = Set(there.keys.lazy.map(\.worker))
            answers.refuseKnown(others.filter { carrying.contains($0.key) })
        }
        try answers.prove(renames)
        let absences = answers.absences(graph, records, needed)
        let left = Set(absences.leaving.map(\.subject))
        let waited = try answers.waited(
            plan, recorder.run.id, needed.filter { !left.contains($0) },
            hasBegun: records.contains { !$0.step.isPreflight }, graph.workers(rebootedBy: records), absences)
        try await recorder.preflight(
            answers.reports.filter { known[StepID.preflight($0.key)] == nil }.sorted { $0.key < $1.key }
                .map { (StepID.preflight($0.key), $0.value.generation) }, renaming: renames)
        try await recorder.leave(absences.leaving)
        for (worker, silence) in waited.sorted(by: { $0.key < $1.key }) {
            recorder.observe(.warning(.workerSilent(worker, silence.reason)))
        }
        return WorkerPool(
            sessions: answers.sessions,
            reconnectingWorkers: ReconnectingWorkers(
                waiting: waited.mapValues(\.session), takeOver: takeOver, lineage: lineage, recorder: recorder,
                generations: known),
            addresses: Dictionary(
                plan.fleet.workers.map { ($0.worker, $0.address) }, uniquingKeysWith: { first, _ in first }),
            absent: answers.absent)
    }

    /// Asks all of these workers, as many at a time as the transport is good for.
    private static func ask(
        _ workers: [PlanWorker], over transport: any Transport,
        _ readiness: @escaping @Sendable (WorkerName) async -> (WorkerSession, Readiness)
    ) async -> Answers {
        let asked = await workers.sideBySide(width: transport.reconnectWindow == nil ? width : connectingWidth) {
            await readiness($0.worker)
        }
        var answers = Answers()
        for (worker, (session, readiness)) in zip(workers, asked) { answers.add(readiness, of: worker, session) }
        answers.refuseTwins()
        return answers
    }

    /// What the workers of a plan said when they were asked whether they are ready.
    private struct Answers {
        var sessions: [WorkerName: WorkerSession] = [:]
        var reports: [WorkerName: PreflightReport] = [:]
        /// What keeps a worker from being used, also if it is asked again.
        var faults: [WorkerName: [String]] = [:]
        /// Of those that do not answer, or on which nothing can be run.
        var silent: [WorkerName: (session: WorkerSession, reason: String)] = [:]
        /// Workers that have left the workspace; their machine may go by another name since.
        var removed = Set<WorkerName>()
        /// Removed workers that do not answer.
        var absent: [WorkerName: String] = [:]

        mutating func add(_ readiness: Readiness, of worker: PlanWorker, _ session: WorkerSession) {
            let name = worker.worker
            switch readiness {
            case .unreachable(let reason) where worker.isRemoved: absent[name] = reason
            case .unrecognised(let reason) where worker.isRemoved: absent[name] = reason
            case .unreachable(let reason): silent[name] = (session, reason)
            case .unusable(let list): silent[name] = (session, list.joined(separator: "; "))
            case .unrecognised(let reason), .refused(let reason): faults[name] = [reason]
            case .ready(let session, let report):
                sessions[name] = session
                reports[name] = report
                if worker.isRemoved { removed.insert(name) }
            }
        }

        /// Workers that are one machine, or of which one is a copy of the other, are not used.
        mutating func refuseTwins() {
            for (worker, fault) in Twins.faults(reports.filter({ !removed.contains($0.key) })) {
                sessions[worker] = nil
                faults[worker, default: []].append(fault)
            }
        }

        /// Goes on without removed workers at whose addresses other machines are by now: nothing of their jobs is there, and
        /// what is there may be another worker's.
        mutating func dismissStrangers(_ machines: [WorkerName: Machine]) {
            for worker in removed {
                guard let machine = machines[worker], reports[worker]?.generation != machine.generation else {
                    continue
                }
                absent[worker] = "another machine has its address"
                sessions[worker] = nil
                reports[worker] = nil
            }
        }

        /// Machines that have answered and that the catalog knows by names which were not asked.
        func otherNames(in machines: [WorkerName: Machine], of plan: Plan) -> [WorkerName: Machine] {
            let leaving = Set(plan.fleet.workers.filter(\.isRemoved).map(\.worker) + plan.renames.map(\.from))
            let seen = Set(reports.values.lazy.map(\.generation))
            return machines.filter {
                seen.contains($0.value.generation) && reports[$0.key] == nil && !leaving.contains($0.key)
            }
        }

        /// Refuses workers that are machines which carry jobs by other names, which were not asked.
        mutating func refuseKnown(_ machines: [WorkerName: Machine]) {
            let names = Dictionary(machines.map { ($0.value.generation, $0.key) }, uniquingKeysWith: { min($0, $1) })
            for (worker, report) in reports where !removed.contains(worker) {
                guard let other = names[report.generation] else { continue }
                faults[worker, default: []].append(Twins.twin("\(other)"))
                sessions[worker] = nil
            }
        }

        /// Keeps everything from beginning where a machine that goes by another name is not the one that it was, or cannot
        /// be asked.
        mutating func prove(_ renames: [Plan.Rename]) throws {
            let strangers = RenameProof.strangers(renames, reports)
            guard strangers.isEmpty else { throw UnfitWorkers.otherMachines(strangers) }
            for rename in renames {
                guard let silence = silent.removeValue(forKey: rename.to) else { continue }
                faults[rename.to, default: []].append(RenameProof.fault(rename, because: silence.reason))
            }
        }

        /// What can be left behind of what is needed.
        func absences(
            _ graph: StepGraph, _ records: [StepRecord], _ needed: Set<Subject>
        ) -> Absences {
            let touched = graph.workers(touchedBy: records)
            let busy = graph.jobsWithHooks(inFlight: records)
            let candidates = needed.sorted().compactMap { subject -> Absences.Candidate? in
                guard let worker = subject.worker, !touched.contains(worker),
                    !(subject.job.map(busy.contains) ?? false), let reason = silent[worker]?.reason
                else { return nil }
                return .init(subject: subject, reason: reason)
            }
            return Absences(candidates, in: graph)
        }

        /// The silent workers that are asked again when their turn comes.
        ///
        /// - Parameters:
        ///   - needed: what is not left behind.
        ///   - rebooting: workers that may be away right now, and are waited for.
        /// - Throws: `UnfitWorkers.notReady` where something is in the way of beginning, or of going on.
        func waited(
            _ plan: Plan, _ run: RunID, _ needed: Set<Subject>, hasBegun: Bool, _ rebooting: Set<WorkerName>,
            _ absences: Absences
        ) throws -> [WorkerName: (session: WorkerSession, reason: String)] {
            let workers = Set(needed.lazy.compactMap(\.worker))
            let waited = silent.filter { workers.contains($0.key) }
            var faults = faults
            if !hasBegun || sessions.isEmpty {
                let missed = waited.filter { !rebooting.contains($0.key) }
                faults.merge(missed.mapValues { [$0.reason] }) { first, _ in first }
            }
            guard faults.isEmpty else {
                throw UnfitWorkers.notReady(
                    hasBegun ? run : nil,
                    plan.fleet.workers.flatMap { worker in
                        (faults[worker.worker] ?? []).map { "\(worker.worker): \($0)" }
                    },
                    excess: hasBegun ? [] : absences.excess.map(\.description))
            }
            return waited
        }
    }

    fileprivate enum Readiness: Sendable {
        case ready(WorkerSession, PreflightReport)
        case unreachable(String)
        /// Somebody answers who is not known to be the worker, or who does not know this program.
        case unrecognised(String)
        /// It answers, and nothing can be run there: a full disk, a missing tool, sudo.
        case unusable([String])
        /// It is somebody else's, or was used by a later run.
        case refused(String)

        init(
            of session: WorkerSession, takeOver: Bool, lineage: RunLineage?, isSeen: Bool, settled: [String] = []
        ) async {
            do {
                let report = try await session.preflight(
                    takeOver: takeOver, lineage: lineage, isSeen: isSeen, settled: settled)
                if let owner = report.otherOwner {
                    self = .refused(
                        "it belongs to run \(owner.sequence) (\(owner.run)) of the controller \(owner.controller), "
                            + "which is another one, a later run than this, or one that this catalog does not know, as an "
                            + "old copy of maand.db would not. After an old copy was put back: maand-plan catalog refresh. "
                            + "Where the other controller is gone for good: --take-over")
                } else if report.isReady {
                    var session = session
                    session.noteClock(of: report)
                    session.generation = report.generation
                    self = .ready(session, report)
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
package struct NotReady: Error {
    package enum Kind {
        case unreachable
        /// It answers, and nothing can be run there.
        case unusable
        /// It is not to be used, also if it is asked again.
        case refused
    }

    let kind: Kind
    /// For people.
    let reason: String

    package init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }

    var isUnreachable: Bool { kind == .unreachable }
}

/// Workers that did not answer when a run was continued.
private actor ReconnectingWorkers {
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

    func has(_ worker: WorkerName) -> Bool { waiting[worker] != nil || ready[worker] != nil }

    func session(_ worker: WorkerName) async throws(NotReady) -> WorkerSession {
        if let session = ready[worker] { return session }
        guard let asked = waiting[worker] else {
            throw NotReady(.unreachable, "it is gone for good, and what it ran was given up")
        }
        let isSeen = generations[StepID.preflight(worker)] != nil
        switch await WorkerPool.Readiness(of: asked, takeOver: takeOver, lineage: lineage, isSeen: isSeen) {
        case .unreachable(let reason): throw NotReady(.unreachable, reason)
        case .unrecognised(let reason), .refused(let reason): throw NotReady(.refused, reason)
        case .unusable(let faults): throw NotReady(.unusable, faults.joined(separator: "; "))
        case .ready(var session, let report):
            let generation = report.generation
            // Somebody else may have asked meanwhile.
            if let session = ready[worker] { return session }
            let step = StepID.preflight(worker)
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
        observe(.warning(.clockSkew(worker, ahead: ahead)))
    }

    /// Seconds.
    private static let tolerableSkew = 60
}
