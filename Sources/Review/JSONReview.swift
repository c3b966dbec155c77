internal import Model
public import Plans
internal import Windows
public import YAML

/// A plan as JSON, for other programs: everything a plan file says, with names resolved, so that nobody has to parse the
/// plan's YAML. `plans/schema/review.schema.json` describes it. Fields are added under the same `review_format`; when one
/// goes or changes its meaning, the number changes.
public enum JSONReview {
    /// What `review_format` says.
    public static let format = 1

    /// - Parameters:
    ///   - contents: for diffs of files; empty where they are not wanted.
    ///   - showsSteps: whether the flat list of steps is in it.
    ///   - outlook: when the plan may run next.
    public static func json(
        _ file: PlanFile, contents: FileContents = .none, showsSteps: Bool, outlook: WindowOutlook? = nil
    ) -> JSON {
        let plan = file.plan
        let diffs = FileDiffs(plan, DiffReader(contents, whole: .all, perFile: 1000, total: 20_000))
        var fields: [(String, JSON)] = [
            ("review_format", .int(format)),
            ("plan", .string(file.id.description)),
            ("plan_format", .int(Plan.format)),
            ("kind", .string(plan.kind.rawValue)),
            ("bucket", .string(plan.fleet.bucket)),
            ("transport", .string(plan.fleet.transport.rawValue)),
            ("worker_root", .string(plan.fleet.workerRoot)),
            ("catalog_revision", .int(plan.base.catalogRevision)),
            ("options", options(plan.work)),
            (
                "policy",
                .object([
                    ("on_failure", .string(plan.policy.onFailure.rawValue)),
                    ("job_parallelism", .int(plan.policy.jobParallelism)),
                    ("start_before", .optional(plan.policy.startBefore?.utcText)),
                ])
            ),
            ("window", plan.window?.json ?? .null),
            ("next_openings", outlook?.json ?? .null),
            ("summary", summary(plan.summary)),
            ("changes_something", .bool(!plan.isEmpty)),
            ("workers", .array(plan.fleet.workers.map(worker))),
            ("renames", .array(plan.renames.map(rename))),
            ("excluded", leftOut(plan.work.body.excluded)),
            ("stopped_by_hand", leftOut(plan.stoppedByHand)),
            ("drained", leftOut(plan.work.body.drained)),
            ("on_workers", onWorkers(plan.work)),
            ("stops", .array(plan.reconcile.map(stop))),
            ("stop_hooks", .array(plan.stopHooks.map { stopHooks($0, in: plan) })),
            ("waves", waves(plan, diffs)),
            (
                "not_bound",
                .array(
                    plan.unpinned.map {
                        .object([("subject", .string($0.subject)), ("detail", .string($0.detail))])
                    })
            ),
        ]
        if let origin = plan.origin { fields.append(("rolls_back", rollsBack(origin))) }
        let failedBefore = plan.work.body.failedBefore
        if !failedBefore.isEmpty { fields.append(("failed_before", leftOut(failedBefore))) }
        if let back = plan.wholeWayBack, let remains = plan.wayBack?.remains {
            fields.append(("way_back", wayBack(back, remains, contents)))
        }
        fields.append(("facts", plan.facts?.json ?? .null))
        if showsSteps { fields.append(("steps", .array(StepList.rows(plan).map(step)))) }
        return .object(fields)
    }

    private static func waves(_ plan: Plan, _ diffs: FileDiffs) -> JSON {
        .array(
            plan.waves.map { wave in
                .object([
                    ("deployment_seq", .int(wave.deploymentSequence)),
                    ("jobs", .array(wave.jobs.map { job($0, diffs) })),
                ])
            })
    }

    private static func rollsBack(_ origin: Deploy.Origin) -> JSON {
        .object([("run", .int(origin.rollback.number))] + remains(origin.remains))
    }

    private static func remains(_ remains: WayBack.Remains) -> [(String, JSON)] {
        [
            ("stays_stopped", leftOut(remains.stopped)),
            (
                "hooks_stay",
                .array(
                    remains.hooks.map {
                        .object([("job", .string($0.name)), ("commands", .array($0.value.map(JSON.string)))])
                    })
            ),
        ]
    }

    private static func wayBack(_ back: Plan, _ remains: WayBack.Remains, _ contents: FileContents) -> JSON {
        let diffs = FileDiffs(back, DiffReader(contents, whole: .all, perFile: 1000, total: 20_000))
        return .object(
            [
                ("waves", waves(back, diffs)), ("stops", .array(back.reconcile.map(stop))),
                ("stop_hooks", .array(back.stopHooks.map { stopHooks($0, in: back) })),
            ] + self.remains(remains))
    }

    private static func names<Kind>(_ names: [Name<Kind>]) -> JSON { .array(names.map { .string($0.text) }) }

    private static func options(_ work: Work) -> JSON {
        switch work {
        case .deploy, .jobCommand: break
        case .operation(let operation): return operation.optionsJSON
        case .runCommand(let command): return command.optionsJSON
        case .reboot(let reboot): return reboot.optionsJSON
        }
        let options = work.body.options
        return .object([
            ("jobs", names(options.jobs)), ("force", .bool(options.force)), ("sync_only", .bool(options.syncOnly)),
            ("recover", names(options.recover)), ("max_unreachable", .optional(options.maxUnreachable?.text)),
            ("workers", names(options.selection.workers)),
            ("labels", .array(options.selection.labels.map(JSON.string))),
            ("exclude", names(options.selection.exclude)), ("include_stopped", .bool(options.includeStopped)),
            ("on_failure", .optional(options.onFailure?.rawValue)),
            ("stops", .string(options.stopsLast ? "last" : "first")),
        ])
    }

    /// What is done on workers as a whole; null if nothing is.
    private static func onWorkers(_ work: Work) -> JSON {
        guard let workers = work.workerBatches else { return .null }
        var fields: [(String, JSON)] = []
        switch work {
        case .deploy, .jobCommand, .operation: break
        case .runCommand(let command): fields.append(("command", command.command.json))
        case .reboot(let reboot): fields.append(("reboot", reboot.rulesJSON))
        }
        return .object(
            fields + [
                ("max_unreachable", .int(workers.maxUnreachable)), ("batches", .array(workers.batches.map(names))),
            ])
    }

    /// Allocations that the plan leaves as they are, by job.
    private static func leftOut(_ allocations: [Plan.Named<[WorkerName]>]) -> JSON {
        .object(allocations.map { ($0.name, names($0.value)) })
    }

    private static func summary(_ summary: Plan.Summary) -> JSON {
        .object(
            [("waves", .int(summary.waves))]
                + Plan.Summary.order.map { ($0.rawValue, .int(summary[$0])) }
                + [("unchanged", .int(summary.unchanged))])
    }

    private static func worker(_ worker: PlanWorker) -> JSON {
        .object([
            ("worker", .string(worker.worker.text)), ("address", .string(worker.address)),
            ("port", worker.ssh.map { .int($0.port) } ?? .null), ("user", .optional(worker.ssh?.user)),
            ("host_keys", .array(worker.ssh?.hostKeys.map(JSON.string) ?? [])), ("zone", .optional(worker.zone)),
            ("tags", Facts.texts(worker.tags)), ("removed", .bool(worker.isRemoved)),
        ])
    }

    private static func rename(_ rename: Plan.Rename) -> JSON {
        .object([
            ("from", .string(rename.from.text)), ("to", .string(rename.to.text)),
            ("generation", .string(rename.generation)),
        ])
    }

    private static func stop(_ stop: Plan.Stop) -> JSON {
        .object([
            ("job", .string(stop.allocation.job.text)), ("worker", .string(stop.allocation.worker.text)),
            ("action", .string(LifecycleAction.stop.rawValue)), ("reason", .string(stop.reason.rawValue)),
            ("from", state(stop.from)), ("timeout_seconds", .int(stop.timeout)),
            ("makefile_optional", .bool(stop.isMakefileOptional)), ("leaves", .string(stop.end.rawValue)),
        ])
    }

    private static func stopHooks(_ hooks: Plan.StopHooks, in plan: Plan) -> JSON {
        let stops = plan.reconcile.count { $0.allocation.job == hooks.job }
        return .object([
            ("job", .string(hooks.job.text)), ("timeout_seconds", .int(hooks.timeout)),
            ("modules", .string(hooks.modules.description)), ("allocations", .int(stops)),
            ("commands", commands(hooks.commands)),
            (
                "around",
                .array(
                    Plan.StopHooks.events.filter { !hooks[$0].isEmpty }.map { event in
                        .object([("event", .string(event.rawValue)), ("commands", commands(hooks[event]))])
                    })
            ),
        ])
    }

    private static func hooks(of job: Plan.Job) -> JSON {
        guard let hooks = job.hooks else { return .null }
        let events = HookEvent.allCases.filter { !hooks[$0].isEmpty }.map { event -> JSON in
            .object([
                ("event", .string(event.rawValue)), ("allocations", .int(job.allocations(of: event))),
                ("commands", commands(hooks[event])),
            ])
        }
        return .object([("modules", .string(hooks.modules.description)), ("events", .array(events))])
    }

    private static func commands(_ hooks: [Plan.Hook]) -> JSON {
        .array(
            hooks.map { hook in
                .object([
                    ("command", .string(hook.command)), ("script", .string(hook.script)),
                    ("digest", .string(hook.digest.description)), ("repeatable", .bool(hook.isRepeatable)),
                ])
            })
    }

    private static func state(_ state: FromState) -> JSON {
        .object([
            ("version", .string(state.version)), ("content", .optional(state.content?.description)),
            ("unfinished", .optional(state.unfinished?.description)), ("stopped", .bool(state.stopped)),
            ("stopped_by_hand", .bool(state.stoppedByHand)), ("interrupted", .bool(state.isInterrupted)),
        ])
    }

    private static func job(_ job: Plan.Job, _ diffs: FileDiffs) -> JSON {
        let trees = job.content.map { content in
            JSON.object([("content", .string(content.tree.description)), ("workers", names(content.workers))])
        }
        let states = job.from.map { named -> JSON in
            let changes = job.changes.first { $0.name == named.name }?.value ?? []
            return .object([
                ("name", .string(named.name)), ("from", state(named.value)),
                ("changes", .array(changes.map { change($0, diffs.diff(of: $0.path, from: named.name, in: job.job)) })),
            ])
        }
        var fields: [(String, JSON)] = [
            ("job", .string(job.job.text)), ("version", .string(job.version)), ("demands", names(job.demands)),
            ("active", names(job.active)), ("disabled", names(job.disabled)), ("states", .array(states)),
            ("content", .array(trees)),
            ("hooks", hooks(of: job)),
            ("rollout_order", .string(job.rolloutOrder.rawValue)),
            ("rollout_order_may_be_replaced_by", .array(job.orderingCommands.map(JSON.string))),
            (
                "batching",
                .object([
                    ("starts", .int(job.batching.starts)), ("upgrades", .int(job.batching.upgrades)),
                    ("first", .array(job.batching.first.map(JSON.int))), ("spread", .optional(job.batching.spread)),
                    ("bake_seconds", .int(job.batching.bakeSeconds)), ("max_failures", .int(job.batching.maxFailures)),
                    ("max_unreachable", .int(job.batching.maxUnreachable)),
                ])
            ),
            ("repeatable", .array(job.repeatable.map { .string($0.rawValue) })),
            (
                "timeouts_seconds",
                .object([
                    ("action", .int(job.timeouts.action)), ("hook", .int(job.timeouts.hook)),
                    ("push", .int(job.timeouts.push)),
                ])
            ),
            ("gate_first", .bool(job.gateFirst)),
            ("phases", .array(job.phases.map(phase))),
            ("ports", .object(job.ports.map { ($0.name, .int($0.value)) })),
            ("health_check", job.healthCheck.map(healthCheck) ?? .null),
        ]
        if !job.secrets.isEmpty { fields.append(("secrets", .array(job.secrets.map(secret)))) }
        if !job.certificates.isEmpty { fields.append(("certificates", .array(job.certificates.map(certificate)))) }
        if !job.changedByService.isEmpty {
            fields.append(("changed_by_service", .array(job.changedByService.map(JSON.string))))
        }
        return .object(fields)
    }

    private static func secret(_ secret: Plan.Secret) -> JSON {
        .object([
            ("job", .string(secret.reference.name.job.text)), ("key", .string(secret.reference.name.key)),
            ("certificate", .bool(secret.reference.name.isCertificate)),
            ("files", .array(secret.files.map(JSON.string))), ("provider", .optional(secret.provider?.description)),
        ])
    }

    private static func certificate(_ certificate: Plan.Certificate) -> JSON {
        .object([
            ("file", .string(certificate.file)), ("worker", .optional(certificate.worker?.text)),
            ("common_name", .string(certificate.commonName)), ("names", .array(certificate.names.map(JSON.string))),
            ("ends", .string(certificate.endsAt.utcText)),
            ("fingerprint", .string(certificate.fingerprint.description)),
        ])
    }

    private static func change(_ change: FileChange, _ diff: FileDiff?) -> JSON {
        var fields: [(String, JSON)] = [
            ("path", .string(change.path)), ("change", .string(change.kind.rawValue)),
            ("from", .optional(change.from?.description)), ("to", .optional(change.to?.description)),
        ]
        switch diff {
        case nil: break
        case .note(let text): fields.append(("diff_note", .string(text)))
        case .lines(let lines, let hidden):
            fields.append(("diff", .array(lines.map { .string($0.kind.prefix + $0.text) })))
            if hidden > 0 { fields.append(("diff_lines_left_out", .int(hidden))) }
        }
        return .object(fields)
    }

    private static func phase(_ phase: Plan.Phase) -> JSON {
        let batches = phase.batches.map { batch in
            JSON.array(
                batch.map { entry in
                    .object([
                        ("worker", .string(entry.worker.text)), ("action", .string(entry.action.rawValue)),
                        ("reason", .string(entry.reason.rawValue)), ("state", .string(entry.from)),
                        ("not_passed_gate", .optional(entry.gate?.rawValue)),
                        (
                            "matched",
                            .object(entry.matched.map { ($0.name, .array($0.value.map(JSON.string))) })
                        ),
                    ])
                })
        }
        return .object([
            ("phase", .string(phase.kind.rawValue)), ("gate", .string(phase.gate.rawValue)),
            ("batches", .array(batches)),
        ])
    }

    private static func healthCheck(_ check: HealthCheck) -> JSON {
        return .object([
            ("timeout_seconds", .int(check.timeoutSeconds)), ("attempts", .int(check.attempts)),
            ("interval_seconds", .int(check.intervalSeconds)),
            ("initial_delay_seconds", .int(check.initialDelaySeconds)), ("successes", .int(check.successes)),
            ("checks", .array(check.checks.map(\.json))),
        ])
    }

    private static func step(_ row: StepList.Row) -> JSON {
        let event: String? = if case .hook(let hook)? = row.step?.task { hook.event.rawValue } else { nil }
        return .object([
            ("id", .string(row.id.text)), ("stage", .int(row.stage)),
            ("action", .string(row.step?.task.rules.verb ?? row.id.text)),
            ("job", .optional(row.step?.job?.text)), ("worker", .optional(row.step?.worker?.text)),
            ("event", .optional(event)),
        ])
    }
}
