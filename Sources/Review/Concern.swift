internal import Model
internal import Plans

/// Something about a plan that a reviewer has to look at first.
struct Concern {
    /// In our own words; set in bold.
    let title: String
    /// One for each job or group that it is about.
    private(set) var details: [Phrase]
    /// Details that are not told one by one.
    let hidden: Int

    /// Details of one concern that are shown.
    private static let shown = 20

    /// Nil if there is nothing to tell.
    init?(_ title: String, _ details: [Phrase]) {
        if details.isEmpty { return nil }
        self.title = title
        self.details = Array(details.prefix(Self.shown))
        hidden = details.count - self.details.count
        if hidden > 0 { self.details.append("and \(hidden) more, which `show --format json` lists") }
    }

    /// The whole of it, to compare it with those of another plan.
    var text: String { ([title] + details.map(\.terminal)).joined(separator: "\n") }

    mutating func visit(_ body: (inout Phrase) -> Void) {
        for index in details.indices { body(&details[index]) }
    }

    /// The most dangerous first.
    static func all(_ plan: Plan, _ contents: FileContents) -> [Concern] {
        ([unmatched(plan)] + stops(plan) + ofKind(plan) + jobs(plan, contents) + leftOut(plan) + rules(plan))
            .compactMap(\.self)
    }

    /// What a plan leaves out that does nothing.
    static func ofEmpty(_ plan: Plan) -> [Concern] { leftOut(plan).compactMap(\.self) }

    /// The dangers of deploys that the plan does not have, so that nobody has to look for them.
    static func absent(_ plan: Plan, _ concerns: [Concern]) -> String? {
        guard case .deploy = plan.work else { return nil }
        let jobs = plan.waves.flatMap(\.jobs)
        let usual: [(word: String, isThere: Bool)] = [
            ("stops", plan.reconcile.contains { $0.end != .removed }),
            ("removals", plan.reconcile.contains { $0.end == .removed }),
            ("forced actions", jobs.contains { $0.entries.contains { $0.reason == .forced } }),
            ("jobs that run nowhere yet", jobs.contains(where: \.isFirstDeployment)),
            ("jobs without a gate", jobs.contains(where: \.runsWithoutGate)),
            ("max_unreachable", jobs.contains { $0.batching.maxUnreachable > 0 }),
            ("secrets", jobs.contains { !$0.secrets.isEmpty }),
            ("excluded allocations", !plan.excluded.isEmpty),
        ]
        let missing = usual.filter { !$0.isThere }.map(\.word)
        return missing.isEmpty ? nil : "Not in this plan: " + missing.joined(separator: ", ") + "."
    }

    private static func unmatched(_ plan: Plan) -> Concern? {
        guard case .deploy(let deploy) = plan.work else { return nil }
        return Concern("Selectors that match no worker", deploy.unmatched.map(plan.phrase))
    }

    // MARK: Stops, and what a kind of plan does

    private static func stops(_ plan: Plan) -> [Concern?] {
        let groups = StopGroup.groups(plan.reconcile)
        func phrases(_ groups: [StopGroup]) -> [Phrase] {
            groups.map {
                "\($0.stop.allocation.job) \($0.stop.from.version) on \(WorkerList.phrase($0.workers)) "
                    + "(\(own: Wording.reason($0.stop.reason)))"
            }
        }
        func count(_ groups: [StopGroup]) -> String {
            Wording.count(groups.reduce(0) { $0 + $1.workers.count }, "allocation")
        }
        let removed = groups.filter { $0.stop.end == .removed }
        let stopped = groups.filter { $0.stop.end != .removed }
        return [
            Concern(
                "Removes \(count(removed)): they stop, their deployed files go, data and logs stay", phrases(removed)),
            Concern("Stops \(count(stopped)); their files stay", phrases(stopped)),
        ]
    }

    private static func ofKind(_ plan: Plan) -> [Concern?] {
        let jobs = plan.waves.flatMap(\.jobs)
        switch plan.work {
        case .deploy(let deploy):
            guard let origin = deploy.origin, !origin.isPartOfRun else { return [] }
            return [Concern("Takes run \(origin.rollback) back", origin.facts.flatMap { [$0.phrase] + $0.details })]
        case .jobCommand(let command):
            return [
                Concern(
                    "Runs code on the controller, as the user who applies the plan",
                    ["\(command.command) of \(command.job.job), once for each of its allocations"])
            ]
        case .operation(let operation):
            let what: Concern? =
                switch operation.verb {
                case .stop:
                    Concern(
                        "Stops these allocations; deploys leave them stopped until `maand-plan start`",
                        jobs.map(\.entriesPhrase))
                case .target(let name):
                    Concern(
                        "Runs a target of the Makefiles that are deployed; read it there",
                        jobs.map { "\(quoted: name) of " + $0.entriesPhrase })
                case .restart, .start: nil
                }
            return [
                what,
                operation.options.allowsDrift
                    ? Concern(
                        "--allow-drift",
                        ["the target runs also if somebody has changed deployed files on the worker"]) : nil,
                !operation.options.hasGate && operation.verb != .stop
                    ? Concern("--no-gate", ["nothing checks between the batches if the service works"]) : nil,
            ]
        case .runCommand(let command):
            return [
                Concern("Runs a command on \(hosts(command.workers))", [command.command.phrase]),
                command.options.ignoresFailures
                    ? Concern("--ignore-failure", ["a failure stops nothing: the command runs on all hosts"]) : nil,
                jobs.isEmpty
                    ? Concern("No gates", ["nothing checks between the batches if the jobs of the hosts work"]) : nil,
            ]
        case .reboot(let reboot):
            let down = jobs.map { job -> Phrase in
                let limit: Phrase = job.maxUnavailable.map { ", never more than \($0) unavailable" } ?? ""
                return
                    "\(job.job): \(job.entries.count) of \(own: Wording.count(job.active.count, "active allocation")), up to "
                    + "\(job.largestBatch) at a time" + limit
            }
            return [
                Concern("Reboots \(hosts(reboot.workers))", [WorkerList.phrase(reboot.workers.workers)]),
                Concern("Jobs that are down while their host reboots", down),
                Concern("Without a gate after the reboot", gateless(jobs.filter { $0.healthCheck == nil })),
            ]
        }
    }

    private static func hosts(_ workers: WorkerBatches) -> String {
        let most = workers.batches.map(\.count).max() ?? 0
        return "\(Wording.count(workers.workers.count, "host")), up to \(most) at a time"
    }

    /// One line for all of them: what is said of each is the same.
    private static func gateless(_ jobs: [Plan.Job]) -> [Phrase] {
        jobs.isEmpty ? [] : [jobs.map { "\($0.job)" as Phrase }.list(first: 20)]
    }

    // MARK: Jobs

    private static func jobs(_ plan: Plan, _ contents: FileContents) -> [Concern?] {
        let jobs = plan.waves.flatMap(\.jobs)
        if plan.work.workerBatches != nil { return unreachable(jobs) }
        let forced = jobs.flatMap { job in
            ActionGroup.groups(job, where: job.isForcedAlone).map { group -> Phrase in
                "\(own: job.word(group.action)) \(job.job) on \(WorkerList.phrase(group.workers))"
            }
        }
        let first = jobs.filter(\.isFirstDeployment)
        let older = jobs.filter(\.goesToOlderVersion)
        let many = jobs.compactMap(\.manyAtOnce)
        // What `--no-gate` takes away is told of the whole plan.
        let bare = plan.work.request.takesGatesAway ? [] : jobs.filter(\.runsWithoutGate)
        let repaired = jobs.compactMap { job in job.recoveryPhrase.map { "\(job.job): " + $0 } }
        let gatesFirst = jobs.filter { $0.gateFirst == .unfinished }
        return [
            Concern("Forced: nothing has changed for these allocations, and they act all the same", forced),
            Concern(
                "Without a gate: nothing checks if they work, and a bad release reaches every host of", gateless(bare)),
            Concern("Many hosts at the same time", many),
            Concern("New hosts get the release before its canary", jobs.compactMap { $0.newHostsPhrase(plan) }),
            Concern("First deployments: nothing of them runs yet", first.map(\.entriesPhrase)),
            Concern(
                "To an older version",
                plan.origin == nil ? older.map { "\($0.job) " + $0.versionsPhrase } : []),
            Concern("Repairs first what is not well", repaired),
            Concern(
                "The last gate failed or never ran, and must pass before anything else",
                gatesFirst.map { "\($0.job)" as Phrase }),
            Concern(
                "A gate that the old process may answer",
                jobs.compactMap { job in
                    job.reloadWarning.map { "\(job.job): " + $0 }
                }),
        ] + secrets(jobs, contents) + unreachable(jobs)
    }

    private static func secrets(_ jobs: [Plan.Job], _ contents: FileContents) -> [Concern?] {
        let uses = jobs.map { (job: $0, secrets: SecretChange.of($0, contents)) }
        func phrases(_ kind: SecretChange.Kind) -> [Phrase] {
            uses.compactMap { job, secrets in
                let own = secrets.filter { $0.kind == kind }
                let certificates = own.count { $0.secret.isCertificate }
                var names = own.filter { !$0.secret.isCertificate }.map { "\($0.secret.description)" as Phrase }
                if names.count > 8 { names = Array(names.prefix(8)) + ["\(names.count - 8) more"] }
                if certificates > 0 { names.append("\(own: Wording.count(certificates, "file")) of certificates") }
                return names.isEmpty ? nil : "\(job.job): " + names.list()
            }
        }
        return [
            Concern("Secrets with another value than the files on the hosts", phrases(.changed)),
            Concern("Secrets that are written for the first time", phrases(.new)),
            Concern(
                "Secrets in files that change; without the bucket's store nobody can tell here if their values change",
                phrases(.unknown)),
        ]
    }

    private static func unreachable(_ jobs: [Plan.Job]) -> [Concern?] {
        [
            Concern(
                "max_unreachable: goes on without hosts that cannot be used",
                jobs.filter { $0.batching.maxUnreachable > 0 && !$0.isRollback }.map {
                    "\($0.job): up to \($0.batching.maxUnreachable) of \($0.active.count)"
                }),
            Concern(
                "max_failures: goes on to further batches after failures",
                jobs.filter { $0.batching.maxFailures > 0 }.map {
                    "\($0.job): up to \($0.batching.maxFailures) of \($0.active.count)"
                }),
        ]
    }

    // MARK: The rest

    private static func leftOut(_ plan: Plan) -> [Concern?] {
        func phrases(_ allocations: [Plan.Named<[WorkerName]>]) -> [Phrase] {
            allocations.map { "\($0.name) on \(WorkerList.phrase($0.value))" }
        }
        func count(_ allocations: [Plan.Named<[WorkerName]>]) -> String {
            Wording.count(allocations.reduce(0) { $0 + $1.value.count }, "allocation")
        }
        let stopped = plan.stoppedByHand
        let gone = plan.fleet.workers.filter(\.isRemoved).map(\.worker)
        let flags = plan.work.request.selectionFlags
        let body = plan.work.body
        return [
            Concern(
                "Excluded by the options, and not brought up to date: \(count(plan.excluded))",
                phrases(plan.excluded)),
            flags.isEmpty || !plan.excluded.isEmpty
                ? nil : Concern("Only a part of the workers", ["planned with " + flags.list(" ")]),
            Concern(
                "Stopped by a person, and left stopped"
                    + (plan.kind == .deploy ? " (`--include-stopped` starts it)" : "") + ": \(count(stopped))",
                phrases(stopped)),
            Concern(
                "Drained by an earlier run, and not put back (`restart` does it if the job has hooks of "
                    + "`after_allocation_healthy`; otherwise do it by hand): \(count(body.drained))",
                phrases(body.drained)),
            Concern(
                "Leads back to what failed: the same files were rolled back on \(count(body.failedBefore))",
                phrases(body.failedBefore)),
            Concern("Given up if they cannot be reached", gone.isEmpty ? [] : [WorkerList.phrase(gone)]),
            Concern(
                "\(Wording.count(plan.renames.count, "worker")) renamed, each once its machine has shown the receipts that are "
                    + "recorded of it; nothing is stopped or started for that", plan.renames.map(\.phrase)),
        ]
    }

    private static func rules(_ plan: Plan) -> [Concern?] {
        let failure: Concern? =
            plan.policy.onFailure == .continue && plan.work.workerBatches == nil
            ? Concern("After a failure the plan goes on", ["with the jobs that do not demand the failed one"]) : nil
        return [failure]
    }
}

/// Allocations of a job with the same action.
private struct ActionGroup {
    let action: LifecycleAction
    var workers: [WorkerName]

    static func groups(_ job: Plan.Job, where isMeant: (Plan.Entry) -> Bool) -> [ActionGroup] {
        var groups: [ActionGroup] = []
        for entry in job.entries where isMeant(entry) {
            if let place = groups.firstIndex(where: { $0.action == entry.action }) {
                groups[place].workers.append(entry.worker)
            } else {
                groups.append(ActionGroup(action: entry.action, workers: [entry.worker]))
            }
        }
        return groups
    }
}
