package import Catalog
package import ControllerHooks
internal import KeyValues
internal import Model
internal import Plans
internal import SecretSources
internal import StepMachinery
internal import Templates
internal import ThisHost
internal import Workers

/// Does what a step says, on its worker, and records it: intent before, outcome after.
package struct StepRunner: Sendable {
    let recorder: Recorder
    let store: ContentStore
    /// Files with secrets.
    let sealed: SealedFiles
    let pool: WorkerPool
    let monitor: WindowMonitor
    /// Nil where the plan has no hooks.
    package var hooks: HookRunner?
    /// Raised when the run parks: probes are left where they are.
    let parking = ParkSignal()
    /// Raised when nobody waits any longer for what is in flight on workers.
    let leaving = ParkSignal()
    /// What this process has found out about pushes by comparing.
    let compared = ComparedPushes()
    /// Workers that could not be asked when their batch was checked.
    let silences = Silences()
    /// Where gates have not passed.
    let verdicts = Verdicts()
    /// Pushes, targets and commands of jobs that have ended in this process.
    let endings = Endings()

    /// - Parameters:
    ///   - store: has the content that the plan pushes.
    ///   - sealed: makes the plan's files with secrets.
    ///   - pool: the workers, asked for this run.
    ///   - monitor: says what may still begin.
    package init(
        recorder: Recorder, store: ContentStore, sealed: SealedFiles, pool: WorkerPool, monitor: WindowMonitor
    ) {
        self.sealed = sealed
        self.recorder = recorder
        self.store = store
        self.pool = pool
        self.monitor = monitor
    }

    var graph: StepGraph { recorder.graph }

    /// Bytes of each output stream that come back from a worker and are kept.
    static let outputLimit = StepOutput.limit

    /// Attempts that one process makes in place of lost ones: of what never began, or may be repeated.
    static let renewals = 3

    /// Earlier runs that are looked through for whose attempt is in the way.
    static let rememberedRuns = 100

    /// How a step's attempt ended, with what is recorded of it.
    struct Ending: Sendable {
        var outcome: StepMachine.Outcome
        /// The attempt stays `started`: it may be running, and its worker has to be asked again.
        var isOpen = false
        var exitStatus: Int?
        /// Why it did not succeed; nil if the outcome says it all.
        var fault: StepFault?
        /// What is recorded beside a success, for later steps.
        var note: String?
        /// It is recorded as skipped: nothing more is to be done for its worker.
        var isSkip = false
        var output: StepOutput?
        /// What follows for the catalog from what was found, beside what follows from the plan.
        var changes: [CatalogChange] = []
        /// What a person should know of it, whatever the outcome.
        var remarks: [String] = []
        /// The workers on which a gate did not pass.
        var failing: [WorkerName] = []

        static let succeeded = Ending(outcome: .succeeded)

        /// Nobody waited for its end: the next process asks.
        static let left = Ending(outcome: .interrupted, isOpen: true, fault: .left)

        static func failed(_ fault: StepFault) -> Ending { Ending(outcome: .failed, fault: fault) }

        /// For people, or for later steps.
        var detail: String? { fault?.text ?? note }

        /// As which the attempt is recorded.
        var state: StepState {
            switch outcome {
            case .succeeded: isSkip ? .skipped : .succeeded
            case .failed, .stale: .failed
            case .unreachable: .unreachable
            case .unknown: .unknown
            case .interrupted: .started
            }
        }
    }

    /// Records the intent, then does the step.
    func perform(_ index: StepIndex, attempt: Int) async throws -> StepMachine.Outcome {
        if let outcome = try await record(index, attempt: attempt) { return outcome }
        if !graph.rules(index).isProbe, !graph.mustGoOn(index), !monitor.isOpen() { return .interrupted }
        try await recorder.begin(index, attempt: attempt, digest: try digest(of: index))
        return try await finish(index, attempt: attempt, isResumed: false)
    }

    /// The intent was recorded by an earlier process.
    func settle(_ index: StepIndex, attempt: Int) async throws -> StepMachine.Outcome {
        recorder.observe(.stepResumed(graph.steps[index], attempt: attempt))
        if let outcome = try await record(index, attempt: attempt) { return outcome }
        // Files that are there already stay as they are, and a probe changes nothing: asking again is settling.
        // Targets and hooks alone are asked about first.
        return try await finish(index, attempt: attempt, isResumed: true)
    }

    /// Does what is begun and ended in one transaction; nil for other tasks.
    private func record(_ index: StepIndex, attempt: Int) async throws -> StepMachine.Outcome? {
        switch graph.steps[index].task {
        case .promote: return try await promote([.init(index, attempt)])[index] ?? .succeeded
        case .order(let task): try await decideOrder(task, index)
        case .complete: try await recorder.complete(index, attempt: attempt)
        case .push, .target, .remove, .hook, .gate, .bake, .shell, .boot, .reboot, .pause: return nil
        }
        return .succeeded
    }

    private func finish(_ index: StepIndex, attempt: Int, isResumed: Bool) async throws -> StepMachine.Outcome {
        let step = graph.steps[index]
        let began = recorder.clock.now()
        var ending: Ending
        var attempt = attempt
        FaultPoint.reach("before \(step.id) does its work")
        (ending, attempt) = try await work(index, attempt: attempt, isResumed: isResumed)
        ending = withoutSecrets(ending, index)
        FaultPoint.reach("after \(step.id) did its work")
        let milliseconds = recorder.clock.now().milliseconds - began.milliseconds
        if !ending.isOpen {
            try await recorder.end(
                index, attempt: attempt, state: ending.state, exitStatus: ending.exitStatus,
                code: ending.fault?.code.rawValue, detail: ending.detail, output: ending.output, changes: ending.changes
            )
            try await hookEnded(index, attempt: attempt)
        }
        if ending.outcome == .succeeded { endings.note(index) }
        if !ending.failing.isEmpty { verdicts.note(index, ending.failing) }
        if ending.isSkip, let worker = step.worker { recorder.spare(worker) }
        for remark in ending.remarks { recorder.observe(.warning(.attempt(step.id, remark))) }
        recorder.observe(
            .stepEnded(step, ending, milliseconds: milliseconds))
        return ending.outcome
    }

    /// Does the step's work. Returns the attempt that the ending is of.
    private func work(_ index: StepIndex, attempt: Int, isResumed: Bool) async throws -> (Ending, Int) {
        switch graph.steps[index].task {
        case .push(let task): return (try await untilLeft { await push(task, index) }, attempt)
        case .remove(let task): return (try await untilLeft { await remove(task) }, attempt)
        case .gate(let task): return (try await ask(task, index), attempt)
        case .bake(let task): return (try await untilParked { try await bake(task, index) }, attempt)
        case .order, .promote, .complete: return (.succeeded, attempt)
        case .target(let task):
            return try await leaving.race {
                try await runTarget(task, index, attempt: attempt, isResumed: isResumed)
            } ?? (.left, attempt)
        case .shell(let task):
            return try await leaving.race {
                try await runShell(task, index, attempt: attempt, isResumed: isResumed)
            } ?? (.left, attempt)
        case .boot: return (try await untilLeft { await noteBoot(index) }, attempt)
        case .reboot(let task):
            return try await leaving.race {
                try await reboot(task, index, attempt: attempt, isResumed: isResumed)
            } ?? (.left, attempt)
        case .pause(let task): return (try await untilParked { try await pause(task, index) }, attempt)
        // It asks this process, which has to be there until it has ended.
        case .hook(let task): return try await runHook(task, index, attempt: attempt, isResumed: isResumed)
        }
    }

    /// `body`, unless nobody waits for it any longer: what it asks of a worker may be asked again.
    private func untilLeft(_ body: @escaping @Sendable () async throws -> Ending) async throws -> Ending {
        try await leaving.race(body) ?? .left
    }

    // MARK: Files

    /// Brings the files of the step's allocation.
    func push(_ task: Push, _ index: StepIndex) async -> Ending {
        do {
            let session = try await pool.session(graph.steps[index].worker)
            try await sealed.ask(for: task.deployment.work.job.secrets)
            guard let request = try pushRequest(task, index) else {
                return .failed(.noContent)
            }
            let isStaged = compared.takeStaged(index)
            var report = try await repeating { () async throws(TransportError) in
                try await session.push(request, isStaged: isStaged)
            }
            if case .busy(let other) = report, try await clear(other, session) {
                report = try await session.push(request)
            }
            let ending = Self.ending(of: report)
            if ending.outcome == .succeeded { compared.notePushed(index) }
            return ending
        } catch let error as StoreError {
            return .failed(.storedContent(error))
        } catch let changed as SealedFiles.Changed {
            // As with a drift, nothing was done, and nothing has to be decided.
            return Ending(outcome: .stale, isOpen: true, fault: .secretChanged(changed.name))
        } catch let error as VaultError {
            return .failed(.secretsUnreadable(error))
        } catch let error as SecretSourceError {
            return .failed(.secretsUnreadable(error))
        } catch let error as SealedFileProblem {
            return .failed(.secretsUnreadable(error))
        } catch let error as TransportError where error.kind == .timedOut {
            return .failed(.pushTimedOut(seconds: task.deployment.work.job.timeouts.push))
        } catch {
            return Self.ending(of: error)
        }
    }

    /// The files that a push brings, and those that the plan takes to be there.
    func pushRequest(_ task: Push, _ index: StepIndex) throws -> PushRequest? {
        guard let release = task.release, let from = task.from else { return nil }
        let job = task.deployment.work.job
        let target = try store.tree(release.content)
        // What an unfinished push left is unknown: then nothing is taken for granted, and nothing is drift.
        let base: Tree? = from.unfinished == nil ? try from.content.map(store.tree) ?? Tree([]) : nil
        let there = try base.map { try entriesThere($0) }
        var request = try PushRequest(
            job: job.job.text, target: entriesToPush(target, job), base: there?.entries,
            isFollowedByTarget: task.deployment.runsTarget,
            // A file of which nobody knows what it is may be anything, and is replaced only where the plan changes it.
            changedByService: job.changedByService + (there?.unknown ?? []),
            timeout: .seconds(job.timeouts.push),
            content: { [store, sealed] entry in
                try entry.sealed.map { .bytes(try sealed.render($0)) } ?? store.source(of: entry)
            })
        request.restored = compared.restored(by: index)
        return request
    }

    /// What a push is to bring: files with secrets have the values that these have now.
    ///
    /// - Throws: `SealedFiles.Changed` if they are not those of the plan any more.
    private func entriesToPush(_ tree: Tree, _ job: Plan.Job) throws -> [PushEntry] {
        let secrets = try sealed.secrets(of: tree).compactMap(job.secret)
        let now = try sealed.fingerprints(of: secrets)
        if let changed = secrets.first(where: { now[$0.reference.name] != $0.reference.fingerprint }) {
            throw SealedFiles.Changed(name: changed.reference.name)
        }
        return try workerEntries(tree) { try sealed.sent($0.digest) }
    }

    /// What is there if it is as it was pushed.
    ///
    /// - Returns: the entries, and the paths of files with secrets of which it is not recorded what they are.
    func entriesThere(_ tree: Tree) throws -> (entries: [PushEntry], unknown: [String]) {
        var unknown: [String] = []
        let entries = try workerEntries(tree) { entry in
            if let known = try sealed.recorded(entry.digest) { return known }
            unknown.append(entry.path)
            return .init(digest: entry.digest, size: entry.size)
        }
        return (entries, unknown)
    }

    private func workerEntries(_ tree: Tree, sent: (TreeEntry) throws -> SealedFiles.Sent) throws -> [PushEntry] {
        try tree.pushed.map { entry in
            switch entry.kind {
            case .file, .executable:
                return PushEntry(
                    path: entry.path, kind: .file(digest: entry.digest.hex, size: entry.size, mode: entry.mode))
            case .sealed:
                let sent = try sent(entry)
                return PushEntry(
                    path: entry.path, kind: .file(digest: sent.digest.hex, size: sent.size, mode: entry.mode),
                    sealed: entry.digest)
            case .symlink:
                return PushEntry(
                    path: entry.path,
                    kind: .symbolicLink(
                        target: String(
                            decoding: try store.read(entry.digest, limit: TreePath.maximumLength), as: UTF8.self)))
            case .emptyDirectory: return PushEntry(path: entry.path, kind: .directory)
            }
        }
    }

    private func remove(_ task: Remove) async -> Ending {
        let allocation = task.work.stop.allocation
        let tree = task.work.stop.from.content.flatMap { try? store.tree($0) }
        let known = (tree?.pushed ?? []).map { entry in
            PushEntry(
                path: entry.path,
                kind: entry.kind == .emptyDirectory
                    ? .directory : .file(digest: entry.digest.hex, size: entry.size, mode: entry.mode))
        }
        do {
            let session = try await pool.session(allocation.worker)
            return Self.ending(
                of: try await repeating { () async throws(TransportError) in
                    try await session.remove(allocation.job.text, known: known)
                })
        } catch {
            return Self.ending(of: error)
        }
    }

    /// Files may be sent again after the connection was lost: what is there already stays as it is. The push that was
    /// cut off may still hold the job for a moment.
    private func repeating(
        _ body: () async throws(TransportError) -> PushReport
    ) async throws(TransportError) -> PushReport {
        for pause in [100, 200, 400, 800, 1600, 3200, 6400] {
            do {
                let report = try await body()
                // The worker is this run's, so a push that holds the job is one that was cut off; or a comparison.
                guard case .busy(let other) = report, other.hasPrefix("push.") else { return report }
            } catch {
                guard error.kind == .connectionLost else { throw error }
            }
            try? await recorder.clock.sleep(.milliseconds(pause))
        }
        return try await body()
    }

    private static func ending(of report: PushReport) -> Ending {
        switch report {
        case .pushed, .unchanged, .asPlanned: .succeeded
        case .drift(let paths, let total):
            // It did nothing, and does so again when somebody has put the paths back: that needs no decision.
            Ending(outcome: .stale, isOpen: true, fault: .drift(paths, total: total))
        case .altered(let reason): Ending(outcome: .stale, isOpen: true, fault: .altered(reason))
        case .busy(let other): .failed(.busy(other))
        case .generationChanged: .failed(.receiptsReplaced)
        case .notOwner(let owner): .failed(.takenOver(.worker, by: owner))
        case .failed(let reason): .failed(.pushFailed(reason))
        }
    }

    // MARK: Errors

    static func ending(of error: any Error) -> Ending {
        if let error = error as? NotReady {
            return Ending(outcome: error.isUnreachable ? .unreachable : .failed, fault: .notReady(error))
        }
        if let error = error as? TransportError, error.kind == .cancelled { return .left }
        if let error = error as? TransportError, error.kind == .source {
            return .failed(.sentContent(error))
        }
        // Files that were sent in part are sent again; nothing is lost by calling it unreachable.
        return Ending(outcome: .unreachable, fault: .unreachable(error))
    }
}

extension ContentStore {
    /// The bytes of a file, pulled as they are sent and hashed again on the way.
    func source(of entry: PushEntry) throws -> ByteSource {
        guard case .file(let hex, _, _) = entry.kind, let digest = Digest(hex: hex.utf8) else { return .empty }
        return .file(path(of: digest))
    }
}
