internal import YAML

/// Reads a plan's nodes, recording every error; a plan that it returns without errors is sound.
///
/// Sound means: every reference resolves, every allocation acts at most once, actions stand in the phase where they
/// belong, and the summary counts what is there. So nothing that uses a `Plan` has to check it again.
struct PlanReader: NodeReading {
    let reader: Reader

    init(_ reader: Reader) { self.reader = reader }

    func plan(_ root: Node) -> Plan? {
        guard var map = reader.mapping(root) else { return nil }
        guard let formatNode = map.required("plan_format"), let format = reader.integer(formatNode, in: 0...Int.max)
        else { return nil }
        guard format == Plan.format else {
            reader.error(
                formatNode, "this is plan format \(format), and this program reads format \(Plan.format)",
                note: "apply it with the release that wrote it, or plan again")
            return nil
        }
        let kind: PlanKind? = word(map.required("kind"))
        let bucket = string(map.required("bucket"))
        let transport: TransportKind? = word(map.required("transport"))
        let workerRoot = string(map.required("worker_root"))
        let revision = fields(map.required("base")) { base in integer(base.required("catalog_revision"), 0...Int.max) }
        let options = self.options(map.required("options"))
        let policy = self.policy(map.required("policy"))
        let window = self.window(map.required("window"))
        let summaryNode = map.required("summary")
        let summary = self.summary(summaryNode)
        let workersNode = map.required("workers")
        let workers = list(workersNode) { worker($0, isSSH: transport == .ssh) }
        let renames = map.optional("renames").map { list($0, rename) } ?? []
        let reconcile = list(map.required("reconcile"), stop)
        let stopHooks = map.optional("stop_hooks").map { list($0, self.stopHooks) } ?? []
        let waves = list(map.required("waves"), wave)
        let facts = map.optional("facts").flatMap(FactsReader(reader).facts)
        map.finish()
        if let workerRoot, let node = map.optional("worker_root") {
            if !workerRoot.hasPrefix("/") || TreePath.problem(String(workerRoot.dropFirst())) != nil {
                reader.error(node, "`worker_root` has to be an absolute path without `.` and `..`")
            }
        }
        guard let kind, let bucket, let transport, let workerRoot, let revision, let options, let policy, let summary,
            let workers, let renames, let reconcile, let stopHooks, let waves
        else { return nil }
        var plan = Plan(
            kind: kind, bucket: bucket, transport: transport, workerRoot: workerRoot,
            base: .init(catalogRevision: revision), options: options, policy: policy, summary: summary,
            workers: workers, reconcile: reconcile, waves: waves, facts: facts)
        plan.window = window
        plan.renames = renames
        plan.stopHooks = stopHooks
        checkReferences(plan, root: root, summary: summaryNode ?? root)
        return plan
    }

    // MARK: Parts

    private func options(_ node: Node?) -> Plan.Options? {
        fields(node) { options in
            let jobs: [JobName]? = names(options.required("jobs"))
            let force = boolean(options.required("force"))
            let syncOnly = boolean(options.required("sync_only"))
            let recover: [JobName] = options.optional("recover").flatMap { names($0) } ?? []
            let unreachable = options.optional("max_unreachable").flatMap(hostCount)
            return all(jobs, force, syncOnly).map {
                Plan.Options(
                    jobs: $0.0, force: $0.1, syncOnly: $0.2, recover: recover, maxUnreachable: unreachable)
            }
        }
    }

    private func policy(_ node: Node?) -> Plan.Policy? {
        fields(node) { policy in
            let onFailure: FailurePolicy? = word(policy.required("on_failure"))
            let parallelism = integer(policy.required("job_parallelism"), Plan.Policy.parallelismRange)
            let startBefore = instantOrNull(policy.required("start_before"))
            return all(onFailure, parallelism).map {
                var policy = Plan.Policy(onFailure: $0.0, jobParallelism: $0.1)
                policy.startBefore = startBefore
                return policy
            }
        }
    }

    private func summary(_ node: Node?) -> Plan.Summary? {
        fields(node) { map in
            var summary = Plan.Summary()
            let counts = 0...Int.max
            guard let waves = integer(map.required("waves"), counts),
                let start = integer(map.required("start"), counts),
                let restart = integer(map.required("restart"), counts),
                let reload = integer(map.required("reload"), counts), let sync = integer(map.required("sync"), counts),
                let stop = integer(map.required("stop"), counts),
                let unchanged = integer(map.required("unchanged"), counts)
            else { return nil }
            summary.waves = waves
            summary.start = start
            summary.restart = restart
            summary.reload = reload
            summary.sync = sync
            summary.stop = stop
            summary.unchanged = unchanged
            return summary
        }
    }

    private func stop(_ node: Node) -> Plan.Stop? {
        fields(node) { map in
            let job: JobName? = name(map.required("job"))
            let worker: WorkerName? = name(map.required("worker"))
            if let actionNode = map.required("action"), let action: LifecycleAction = word(actionNode), action != .stop
            {
                reader.error(actionNode, "only `stop` may stand under `reconcile`")
            }
            let reasonNode = map.required("reason")
            let reason: Reason? = word(reasonNode)
            if let reasonNode, let reason, reason != .disabled && reason != .removed {
                reader.error(reasonNode, "a stop has the reason `disabled` or `removed`")
            }
            let from = fromState(&map)
            let timeout = integer(map.required("timeout"), Plan.Timeouts.range)
            let makefile = map.optional("makefile")
            if let makefile, string(makefile) != PlanWord.optional {
                reader.error(makefile, "`makefile` of a stop is `\(PlanWord.optional)`, or left out")
            }
            guard let job, let worker, let reason, let from, let timeout else { return nil }
            var stop = Plan.Stop(
                allocation: AllocationID(job: job, worker: worker), reason: reason, from: from, timeout: timeout)
            stop.isMakefileOptional = makefile != nil
            return stop
        }
    }

    private func wave(_ node: Node) -> Plan.Wave? {
        fields(node) { map in
            all(integer(map.required("deployment_seq"), 0...Int.max), list(map.required("jobs"), job))
                .map(Plan.Wave.init)
        }
    }

    private func job(_ node: Node) -> Plan.Job? {
        fields(node) { map in
            let job: JobName? = name(map.required("job"))
            let version = self.version(map.required("version"))
            let demands: [JobName]? = names(map.required("demands"))
            let active: [WorkerName]? = names(map.required("active"))
            let from = named(map.required("from")) { node in fields(node) { fromState(&$0) } }
            let content = named(map.required("content")) { names($0) as [WorkerName]? }
            let trees = content.map { content in
                content.compactMap { item in digest(item.value.node, item.name).map { ($0, item.value.value) } }
            }
            let changes = named(map.required("changes")) { list($0, change) }
            let hooksNode = map.optional("hooks")
            let hooks = hooksNode.flatMap(self.hooks)
            let orderNode = map.required("rollout_order")
            let order = fields(orderNode) { map in
                all(
                    word(map.required("source")) as OrderSource?,
                    map.optional("may_be_replaced_by").map { list($0, command) } ?? [])
            }
            let batching = fields(map.required("batching")) { map in
                let starts = integer(map.required("starts"), 0...1_000_000)
                let upgrades = integer(map.required("upgrades"), 1...1_000_000)
                let first = map.optional("first").map { list($0) { integer($0, 1...1_000_000) } } ?? []
                let spread = map.optional("spread").flatMap(string)
                let bake = map.optional("bake_seconds").flatMap { integer($0, Plan.Batching.bakeRange) } ?? 0
                let failures = map.optional("max_failures").flatMap { integer($0, Plan.Batching.failureRange) } ?? 0
                let unreachable =
                    map.optional("max_unreachable").flatMap { integer($0, Plan.Batching.unreachableRange) } ?? 0
                return all(starts, upgrades, first).map {
                    Plan.Batching(
                        starts: $0.0, upgrades: $0.1, first: $0.2, spread: spread, bakeSeconds: bake,
                        maxFailures: failures, maxUnreachable: unreachable)
                }
            }
            let repeatable = list(map.required("repeatable")) { word($0) as LifecycleAction? }
            let service = changedByService(map.optional("changed_by_service"))
            let timeouts = fields(map.required("timeouts")) { map in
                all(
                    integer(map.required("action"), Plan.Timeouts.range),
                    integer(map.required("hook"), Plan.Timeouts.range),
                    integer(map.required("push"), Plan.Timeouts.range)
                ).map(Plan.Timeouts.init)
            }
            let gateFirst = map.required("gate_first").map { node in
                reader.isNull(node) ? false : (word(node) as Reason?) == .unfinished
            }
            let phases = list(map.required("phases"), phase)
            let ports = named(map.required("ports")) { integer($0, Plan.portRange) }
            let healthNode = map.required("health_check")
            let health = healthNode.flatMap { reader.isNull($0) ? nil : healthCheck($0) }
            guard let job, let version, let demands, let active, let from, let trees, let changes, let order,
                let batching, let repeatable, let timeouts, let gateFirst, let phases, let ports, let healthNode,
                reader.isNull(healthNode) || health != nil, hooksNode == nil || hooks != nil
            else { return nil }
            let plan = Plan.Job(
                job: job, version: version, demands: demands, active: active,
                from: from.map { Plan.Named($0.name, $0.value.value) },
                content: trees.map { Plan.Content(tree: $0.0, workers: $0.1) },
                changes: changes.map { Plan.Named($0.name, $0.value.value) }, hooks: hooks, rolloutOrder: order.0,
                batching: batching, repeatable: repeatable, changedByService: service, timeouts: timeouts,
                gateFirst: gateFirst, phases: phases,
                ports: ports.map { Plan.Named($0.name, $0.value.value) }, healthCheck: health)
            if let orderNode, order.1 != plan.orderingCommands {
                reader.error(orderNode, "`may_be_replaced_by` has to name the commands of `pre_deploy`")
            }
            for event in HookEvent.allCases where !plan.hooks(event).isEmpty && plan.allocations(of: event) == 0 {
                reader.error(hooksNode ?? node, "nothing of the job's rollout runs hooks of \(event.rawValue)")
            }
            if health?.checks.isEmpty == true, plan.hooks(.healthCheck).isEmpty {
                reader.error(healthNode, "a health check has at least one check, or hooks of `health_check`")
            }
            return plan
        }
    }

    private func fromState(_ map: inout MappingReader) -> FromState? {
        let version = self.version(map.required("version"))
        let contentNode = map.required("content")
        let contentText = string(contentNode)
        var content: Digest?
        if let contentNode, let contentText, contentText != PlanWord.noContent {
            content = digest(contentNode, contentText)
        }
        let unfinished = map.optional("unfinished").flatMap { node in string(node).flatMap { digest(node, $0) } }
        let stopped = map.optional("stopped").flatMap(boolean) ?? false
        guard let version, contentText != nil else { return nil }
        return FromState(version: version, content: content, unfinished: unfinished, stopped: stopped)
    }

    /// Paths of the job, in the order of their bytes, each once.
    private func changedByService(_ node: Node?) -> [String] {
        guard let node, let paths = list(node, { string($0) }) else { return [] }
        for (path, next) in zip(paths, paths.dropFirst()) where !path.utf8.lexicographicallyPrecedes(next.utf8) {
            reader.error(node, "`changed_by_service` has to be sorted, with each path once")
        }
        for path in paths {
            if let problem = TreePath.problem(path) { reader.error(node, "the path `\(path)` \(problem)") }
        }
        if paths.isEmpty { reader.error(node, "`changed_by_service` without a path is left out") }
        return paths
    }

    private func change(_ node: Node) -> FileChange? {
        fields(node) { map in
            let pathNode = map.required("path")
            let path = string(pathNode)
            if let pathNode, let path, let problem = TreePath.problem(path) {
                reader.error(pathNode, "the path \(problem)")
            }
            let kind: ChangeKind? = word(map.required("change"))
            let from = map.optional("from").flatMap { node in string(node).flatMap { digest(node, $0) } }
            let to = map.optional("to").flatMap { node in string(node).flatMap { digest(node, $0) } }
            guard let path, let kind else { return nil }
            return FileChange(path: path, kind: kind, from: from, to: to)
        }
    }

    private func phase(_ node: Node) -> Plan.Phase? {
        fields(node) { map in
            let kind: PhaseKind? = word(map.required("phase"))
            let batches = list(map.required("batches")) { list($0, entry) }
            let gate: GateTiming? = word(map.required("gate"))
            return all(kind, batches, gate).map(Plan.Phase.init)
        }
    }

    private func entry(_ node: Node) -> Plan.Entry? {
        fields(node) { map in
            let worker: WorkerName? = name(map.required("worker"))
            let action: LifecycleAction? = word(map.required("action"))
            let reason: Reason? = word(map.required("reason"))
            let from = string(map.required("from"))
            let gate: GateDebt? = map.optional("gate").flatMap { word($0) }
            var matched: [Plan.Named<[String]>] = []
            if let node = map.optional("matched"), let globs = named(node, { list($0, string) }) {
                matched = globs.map { Plan.Named($0.name, $0.value.value) }
            }
            guard let worker, let action, let reason, let from else { return nil }
            return Plan.Entry(
                worker: worker, action: action, reason: reason, from: from, matched: matched, gate: gate)
        }
    }

    private func hostCount(_ node: Node) -> HostCount? {
        guard let text = string(node) else { return nil }
        guard let count = HostCount(text) else {
            reader.error(node, "`max_unreachable` is a number of hosts, or a share of them such as \"2%\"")
            return nil
        }
        return count
    }

    private func healthCheck(_ node: Node) -> HealthCheck? {
        fields(node) { map in
            let timeout = integer(map.required("timeout_seconds"), HealthCheck.timeoutRange)
            let attempts = integer(map.required("attempts"), HealthCheck.attemptRange)
            let interval = integer(map.required("interval_seconds"), HealthCheck.intervalRange)
            let delay = map.optional("initial_delay_seconds").flatMap { integer($0, HealthCheck.delayRange) } ?? 0
            let successes = map.optional("successes").flatMap { integer($0, HealthCheck.successRange) } ?? 1
            let checks = list(map.required("checks"), check)
            return all(timeout, attempts, interval, checks).map {
                HealthCheck(
                    timeoutSeconds: $0.0, attempts: $0.1, intervalSeconds: $0.2, checks: $0.3,
                    initialDelaySeconds: delay, successes: successes)
            }
        }
    }

    private func check(_ node: Node) -> HealthCheck.Check? {
        fields(node) { map in
            guard let typeNode = map.required("type"), let type = string(typeNode) else { return nil }
            switch HealthCheck.Check.Kind(rawValue: type) {
            case .tcp: return integer(map.required("port"), Plan.portRange).map(HealthCheck.Check.tcp)
            case .http:
                return all(
                    integer(map.required("port"), Plan.portRange), string(map.required("path")),
                    integer(map.required("expect_status"), HealthCheck.statusRange)
                ).map(HealthCheck.Check.http)
            case .ssh: return string(map.required("command")).map(HealthCheck.Check.ssh)
            case nil:
                reader.error(typeNode, "a check has the type `tcp`, `http` or `ssh`")
                return nil
            }
        }
    }
}
