internal import Model
internal import Plans

/// What a reviewer has to know first: what becomes of each job, and what is dangerous about it. Every review begins with it.
struct Verdict {
    /// What becomes of one job, or of workers as a whole: a row of the table.
    struct Row {
        /// `wave 1`, or `before the first wave` for stops.
        let when: String
        /// Nil for workers as a whole.
        let job: JobName?
        /// `restart 30, start 6`.
        let action: String
        let versions: Phrase
        let hosts: Int
        let batches: Int
        /// Most hosts that act at a time.
        let largest: Int
        /// Allocations of the job that are active; 0 if there are none, or if it is stopped.
        let active: Int
        let gate: String
        let bake: String
        let time: String

        static let columns = [
            "when", "job", "action", "from -> to", "hosts", "batches", "largest batch", "gate", "bake", "expected time",
        ]

        /// One for each of `columns`.
        var cells: [Phrase] {
            [
                "\(own: when)", job.map { "\($0)" } ?? "–", "\(own: action)", versions, "\(hosts)",
                batches == 0 ? "–" : "\(batches)",
                largest == 0 ? "–" : active > 0 ? "\(largest) of \(active)" : "\(largest)", "\(own: gate)",
                "\(own: bake)", "\(own: time)",
            ]
        }

        /// Columns of numbers.
        static let numbers: Set<Int> = [4, 5, 6]
    }

    /// In the order in which they are done.
    private(set) var rows: [Row] = []
    /// What deserves a look before everything else; the most dangerous first.
    private(set) var concerns: [Concern]
    /// Which of the usual dangers the plan does not have; nil if it has all of them, or if that says nothing about it.
    let absent: String?

    /// - Parameters:
    ///   - contents: tell which secrets change.
    ///   - times: how long its jobs are expected to take.
    init(_ plan: Plan, _ contents: FileContents, _ times: ExpectedTimes) {
        concerns = plan.isEmpty ? Concern.ofEmpty(plan) : Concern.all(plan, contents)
        absent = plan.isEmpty ? nil : Concern.absent(plan, concerns)
        let stops = StopGroup.groups(plan.reconcile).map { Row($0, of: plan, times) }
        if let workers = plan.work.workerBatches, !plan.isEmpty { rows.append(Row(workers, of: plan, times)) }
        if !plan.stopsAreLast { rows += stops }
        for wave in plan.waves {
            rows += wave.jobs.map { Row($0, in: wave, of: plan, times.text(of: $0.job)) }
        }
        if plan.stopsAreLast { rows += stops }
    }

    mutating func visit(_ body: (inout Phrase) -> Void) {
        for index in concerns.indices { concerns[index].visit(body) }
    }

    /// Keeps only what differs from an earlier plan.
    ///
    /// - Parameter jobs: those that are shown.
    mutating func keep(_ jobs: Set<JobName>, _ before: Verdict) {
        rows = rows.filter { $0.job.map(jobs.contains) ?? true }
        let known = Set(before.concerns.map(\.text))
        concerns = concerns.filter { !known.contains($0.text) }
    }
}

extension Verdict.Row {
    fileprivate init(_ workers: WorkerBatches, of plan: Plan, _ times: ExpectedTimes) {
        when = "on the hosts"
        job = nil
        action = plan.kind == .reboot ? "reboot" : "run the command"
        versions = "–"
        hosts = workers.workers.count
        batches = workers.batches.count
        largest = workers.batches.map(\.count).max() ?? 0
        active = hosts
        gate = plan.waves.contains { $0.jobs.contains { $0.healthCheck != nil } } ? "after each batch" : "none"
        bake = "–"
        time = times.textOfAll
    }

    fileprivate init(_ group: StopGroup, of plan: Plan, _ times: ExpectedTimes) {
        when = plan.stopsAreLast ? "after the last wave" : "before the first wave"
        job = group.stop.allocation.job
        action = group.stop.end == .removed ? "stop and remove" : "stop"
        versions = "\(group.stop.from.version) -> –"
        hosts = group.workers.count
        batches = 1
        largest = hosts
        active = 0
        (gate, bake) = ("–", "–")
        time = times.textOfStops
    }

    fileprivate init(_ job: Plan.Job, in wave: Plan.Wave, of plan: Plan, _ time: String) {
        when = "\(plan.origin?.isPartOfRun == true ? "way back, wave" : "wave") \(wave.deploymentSequence)"
        self.job = job.job
        versions = job.versionsPhrase
        active = job.active.count
        self.time = time
        if plan.work.workerBatches != nil {
            action = plan.kind == .reboot ? "stop, start" : "gates"
            hosts = job.entries.isEmpty ? job.active.count : job.entries.count
        } else {
            let counts = job.actionCounts.map { "\(job.verdictWord($0.action)) \($0.count)" }
            action =
                !counts.isEmpty
                ? counts.joined(separator: ", ")
                : job.gateFirst != nil ? "gate" : job.runsCommand ? "run a command" : "complete"
            hosts = job.phases.isEmpty ? job.active.count + job.disabled.count : job.entries.count
        }
        batches = job.phases.reduce(0) { $0 + $1.batches.count }
        largest = job.phases.lazy.flatMap(\.batches).map(\.count).max() ?? 0
        gate = job.verdictGate
        let seconds = job.batching.bakeSeconds
        bake = seconds == 0 || job.phases.isEmpty ? "–" : Wording.duration(seconds)
    }
}

extension Plan.Job {
    /// For the table.
    fileprivate func verdictWord(_ action: LifecycleAction) -> String {
        if action == .run { return "run the target" }
        return isJobControl && !isOperated ? (action == .start ? "new" : "update") : action.rawValue
    }

    /// When gates are asked, for the table.
    fileprivate var verdictGate: String {
        if healthCheck == nil { return "none" }
        let gates = phases.map(\.gate)
        if gates.contains(where: \.followsEachBatch) {
            return gateFirst != nil ? "first, and after each batch" : "after each batch"
        }
        if gates.contains(where: \.followsPhase) { return gateFirst != nil ? "first, and at the end" : "at the end" }
        return gateFirst != nil ? "first" : "none"
    }
}

extension Plan {
    /// How a run of the plan is stopped, and what is left then.
    var howToStop: Phrase {
        if isEmpty { return "there is nothing to stop" }
        let whole: Phrase =
            kind == .reboot
            ? "; a host whose turn has begun is rebooted and its jobs are started all the same"
            : policy.onFailure == .rollback ? "; a way back that has begun goes on" : ""
        return
            "\(quoted: "maand-apply pause RUN --reason TEXT"), or Ctrl-C where it runs: steps that run come to their end, "
            + "nothing new begins\(whole), and the same command of `maand-apply` continues. "
            + "\(quoted: "maand-apply abandon RUN --reason TEXT") ends it for good, and what was changed until then stays changed"
            + (kind == .deploy && origin == nil ? " until \(quoted: "maand-plan rollback RUN") or the next deploy" : "")
    }
}
