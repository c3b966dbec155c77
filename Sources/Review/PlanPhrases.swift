internal import Model
internal import Plans
internal import Windows

// What a plan says, sentence by sentence, for every format.

/// A line at the head of a review, and what belongs to it.
struct HeadFact {
    var phrase: Phrase
    var details: [Phrase] = []
}

extension Plan {
    /// How the plan was made, and how its workers are reached.
    var aboutFacts: [HeadFact] {
        var facts = [
            HeadFact(
                phrase:
                    "\(own: kind.rawValue) in bucket \(fleet.bucket), made at catalog revision \(base.catalogRevision)")
        ]
        let flags = work.request.flags
        if !flags.isEmpty { facts.append(HeadFact(phrase: "planned with " + flags.list(" "))) }
        facts += fleet.reachPhrases.map { HeadFact(phrase: $0) }
        facts[facts.count - 1].details += fleet.addressPhrases
        return facts
    }

    /// What holds for all of the plan: in which order things happen, what a failure stops, when it may run, how long it takes,
    /// and how it is stopped.
    ///
    /// - Parameters:
    ///   - outlook: when it may run next.
    ///   - time: how long it takes, in our own words.
    func rules(_ outlook: WindowOutlook?, _ time: String) -> [ReviewOutline.Fact] {
        if isEmpty { return [] }
        var rules = [ReviewOutline.Fact(title: "Order", phrase: orderOfAll)]
        // What stops a plan for workers is told where its batches are.
        if work.workerBatches == nil {
            let failure: Phrase =
                switch policy.onFailure {
                case .stop: "no further batch starts; steps that run come to their end, and nothing is taken back"
                case .continue: "jobs that do not demand the failed one go on"
                case .rollback: "no batch starts anywhere, and what has begun goes back (see the way back)"
                }
            rules.append(.init(title: "After a failure", phrase: failure))
        }
        let window = windowFacts(outlook)
        for fact in window { rules.append(.init(title: "When", phrase: fact.phrase, details: fact.details)) }
        if let startBefore = policy.startBefore {
            rules.append(.init(title: "When", phrase: "begins before \(own: startBefore.utcText), or never"))
        } else if window.isEmpty {
            rules.append(.init(title: "When", phrase: "at any time: it has no maintenance window"))
        }
        rules.append(.init(title: "Expected time", phrase: "\(own: time)"))
        rules.append(.init(title: "How to stop it", phrase: howToStop))
        return rules
    }

    private var orderOfAll: Phrase {
        if let workers = work.workerBatches {
            return
                "\(own: Wording.count(workers.batches.count, "batch", "batches")) of hosts, one after the other; the hosts of a "
                + "batch at the same time"
        }
        var parts: [Phrase] = []
        let waves = self.waves.map { wave -> Phrase in
            "wave \(wave.deploymentSequence) (\(wave.jobs.map { "\($0.job)" as Phrase }.list(first: 8)))"
        }
        let shown = waves.count > 8 ? Array(waves.prefix(8)) + ["\(waves.count - 8) more waves"] : waves
        let stops = "\(Wording.count(reconcile.count, "stop"))"
        if !reconcile.isEmpty, !stopsAreLast { parts.append("\(own: stops)") }
        parts += shown
        if !reconcile.isEmpty, stopsAreLast { parts.append("\(own: stops)") }
        let beside: Phrase =
            self.waves.contains { $0.jobs.count > 1 }
            ? "; up to \(own: Wording.count(policy.jobParallelism, "job")) of a wave side by side" : ""
        let batches: Phrase =
            self.waves.contains { $0.jobs.contains { !$0.phases.isEmpty } }
            ? "; in a job batch after batch, and the hosts of a batch at the same time" : ""
        return parts.list(", then ") + beside + batches
    }
}

extension Fleet {
    /// Where workers are reached: a stranger's plan must not lead elsewhere unseen.
    fileprivate var reachPhrases: [Phrase] {
        if workers.isEmpty { return [] }
        var phrases: [Phrase] = []
        switch transport {
        case .local:
            phrases.append(
                "\(own: Wording.count(workers.count, "worker")), each a folder of this machine, below \(workerRoot)")
        case .ssh:
            var ways: [(user: String, port: Int, count: Int)] = []
            for worker in workers {
                let (user, port) = (worker.ssh?.user ?? "?", worker.ssh?.port ?? 0)
                if let index = ways.firstIndex(where: { $0.user == user && $0.port == port }) {
                    ways[index].count += 1
                } else {
                    ways.append((user, port, 1))
                }
            }
            for way in ways.prefix(8) {
                phrases.append(
                    "\(own: Wording.count(way.count, "worker")) over ssh as \(way.user), port \(way.port), below "
                        + "\(workerRoot)")
            }
            if ways.count > 8 { phrases.append("and \(ways.count - 8) more ways to reach workers") }
        }
        return phrases
    }

    /// Workers that are reached at another address than their name; the first ones, then how many more there are.
    fileprivate var addressPhrases: [Phrase] {
        let renamed = workers.filter { $0.address != $0.worker.text }
        var phrases: [Phrase] = renamed.prefix(10).map { "\($0.worker) at \($0.address)" }
        if renamed.count > 10 { phrases.append("and \(renamed.count - 10) more at another address than their name") }
        let removed = workers.filter(\.isRemoved).map(\.worker)
        if !removed.isEmpty {
            phrases.append(
                "no longer among the workers, so given up where they cannot be reached: \(WorkerList.phrase(removed))")
        }
        return phrases
    }
}

extension Plan.Selection {
    /// The flags with which the workers were chosen.
    var flags: [Phrase] {
        var flags: [Phrase] = []
        if !workers.isEmpty { flags.append("--workers " + workers.map { "\($0)" }.list(first: 20)) }
        if !labels.isEmpty { flags.append("--labels " + labels.map { "\($0)" }.list(",")) }
        if !exclude.isEmpty { flags.append("--exclude " + exclude.map { "\($0)" }.list(first: 20)) }
        return flags
    }
}

extension Plan.Rename {
    var phrase: Phrase { "renamed \(from) -> \(to)" }

    /// With the receipts that the machine has to show.
    var exactPhrase: Phrase { phrase + ", with the receipts \(generation)" }
}

extension Plan.Job {
    /// What the plan has the job for where it rolls nothing out, in our own words; nil where it does.
    var purposeWithoutPhases: String? {
        if !phases.isEmpty { return nil }
        return runsCommand
            ? "runs a command, and rolls nothing out" : "only completes the rollout that was not completed"
    }

    /// Whether the plan is of the kind `job_command`.
    var runsCommand: Bool { JobCommand.events.contains { !hooks($0).isEmpty } }

    /// How many allocations each action touches.
    var actionCounts: [(action: LifecycleAction, count: Int)] {
        var counts: [LifecycleAction: Int] = [:]
        for entry in phases.lazy.flatMap(\.batches).joined() { counts[entry.action, default: 0] += 1 }
        return LifecycleAction.allCases.compactMap { action in counts[action].map { (action, $0) } }
    }

    /// The versions that run somewhere now, ascending.
    var oldVersions: [String] {
        let texts = Set(from.lazy.filter { $0.value.content != nil }.map(\.value.version))
        return texts.map { (text: $0, version: Version($0)) }.sorted { a, b in
            switch (a.version, b.version) {
            case (let x?, let y?) where x < y || y < x: x < y
            case (.some, nil): true
            case (nil, .some): false
            case (.some, .some), (nil, nil): a.text.utf8.lexicographicallyPrecedes(b.text.utf8)
            }
        }.map(\.text)
    }

    /// The version that runs now, for the states in which one does.
    var versionsOfStates: [String: String] {
        Dictionary(
            from.lazy.filter { $0.value.content != nil }.map { ($0.name, $0.value.version) }, uniquingKeysWith: { $1 })
    }

    /// `2.0.0 -> 2.1.0`, or the several versions that are there now.
    var versionsPhrase: Phrase {
        let old = oldVersions
        if old.isEmpty || old == [version] { return "\(version)" }
        if isOperated { return old.map { "\($0)" as Phrase }.list(first: 4) }
        let others = versions.map { "\($0.name) on \(WorkerList.phrase($0.value))" as Phrase }
        return "\(old.map { "\($0)" as Phrase }.list(first: 4)) -> \(version)"
            + (others.isEmpty ? "" : ", and -> " + others.list())
    }

    var demandsPhrase: Phrase? { demands.isEmpty ? nil : "demands " + demands.map { "\($0)" }.list() }

    var portsPhrase: Phrase? {
        ports.isEmpty ? nil : "ports: " + ports.map { "\($0.name) \($0.value)" }.list()
    }
}

extension Plan.Phase {
    func titlePhrase(in job: Plan.Job) -> Phrase {
        let what: Phrase =
            switch kind {
            case .recover: "recover"
            case .start: "start"
            case .upgrade: "upgrade"
            case .operation where job.isJobControl:
                "\(job.hooks(.jobControl).map { "\($0.command)" }.list(", then ")) with the target's name,"
            case .operation: "the target runs"
            case .jobControl:
                "rolled out by \(job.hooks(.jobControl).map { "\($0.command)" }.list(", then ")) in place of Makefile "
                    + "targets,"
            }
        let gate =
            switch self.gate {
            case .none: "no gate"
            case .afterPhase: "a gate at the end"
            case .afterEachBatch: "a gate after each batch"
            case .afterEachBatchAndPhase:
                "a gate over \(batches.count > 1 ? "each" : "the") batch, then one over everything that runs"
            }
        let spread: Phrase = job.batching.spread.map { ", one value of the tag \($0) at a time" } ?? ""
        let count = Wording.count(batches.count, "batch", "batches")
        return "\(what) in \(own: count)\(spread), \(own: gate + bake(job))"
    }
}

extension Plan.Phase {
    private func bake(_ job: Plan.Job) -> String {
        let seconds = job.batching.bakeSeconds
        if seconds == 0 { return "" }
        let after =
            switch gate {
            case .none:
                kind.gateTiming.followsEachBatch ? ", after each batch " : ", then "
            case .afterPhase, .afterEachBatch, .afterEachBatchAndPhase: ", then "
            }
        let again = gate == .none ? "" : " and the gate again"
        return "\(after)\(seconds) s of baking\(again)"
    }
}

extension Plan.Job {
    /// What the job goes on in spite of; nil where the first failure stops it.
    var failuresPhrase: Phrase? {
        let limit = batching.maxFailures
        if limit == 0 { return nil }
        let failed = Wording.count(limit, "failed allocation")
        return "goes on to further batches after up to \(own: failed), and fails at its end"
    }

    /// What the job goes on without; nil where every worker has to answer.
    var unreachablePhrase: Phrase? {
        let limit = batching.maxUnreachable
        if limit == 0 { return nil }
        return
            "goes on without up to \(own: Wording.count(limit, "allocation")) whose workers cannot be used when their turn "
            + "comes, and leaves them as they are"
    }

    /// What is repaired before anything healthy is touched; nil where nothing has to be.
    var recoveryPhrase: Phrase? {
        let recovered = entries(of: .recover)
        if recovered.isEmpty { return nil }
        let unfinished = Set(from.lazy.filter { $0.value.unfinished != nil }.map(\.name))
        let kinds: [(count: Int, one: String, many: String)] = [
            (
                recovered.count { $0.gate != nil }, "allocation that never passed its gate",
                "allocations that never passed their gate"
            ),
            (
                recovered.count { $0.gate == nil && unfinished.contains($0.from) }, "unfinished allocation",
                "unfinished allocations"
            ),
            (
                recovered.count { $0.gate == nil && !unfinished.contains($0.from) },
                "allocation that is not known to be well",
                "allocations that are not known to be well"
            ),
        ]
        let what = kinds.filter { $0.count > 0 }.map { Wording.count($0.count, $0.one, $0.many) }
        let then = [(PhaseKind.start, "starts"), (.upgrade, "upgrades"), (.jobControl, "rolls out")].compactMap {
            (kind, verb) -> String? in
            let count = entries(of: kind).count
            return count == 0 ? nil : ", then \(verb) \(count)"
        }
        return "recovers \(own: what.joined(separator: " and ") + then.joined())"
    }

    private func entries(of kind: PhaseKind) -> [Plan.Entry] {
        phases.lazy.filter { $0.kind == kind }.flatMap(\.batches).flatMap(\.self)
    }

    /// Where a gate may pass on an answer of what ran before; nil where it cannot.
    var reloadWarning: Phrase? {
        guard let healthCheck, healthCheck.successes == 1, healthCheck.initialDelaySeconds == 0,
            batching.bakeSeconds == 0, !isJobControl,
            phases.contains(where: { $0.gate != .none && $0.batches.joined().contains { $0.action == .reload } })
        else { return nil }
        return
            "after a reload the old process may still answer this gate: set successes or initial_delay_seconds under "
            + "health_check.wait, or rollout.bake_seconds"
    }

    /// How often and how long its actions may run, where that is not as for other jobs; the hooks' limit stands with them.
    var attemptPhrases: [Phrase] {
        var phrases: [Phrase] = []
        if !repeatable.isEmpty {
            let targets = repeatable.map(\.rawValue).joined(separator: ", ")
            phrases.append("runs again if the outcome is unknown: \(own: targets)")
        }
        if !changedByService.isEmpty {
            let paths = changedByService.map { "\($0)" as Phrase }
            phrases.append("its service may rewrite \(paths.list(first: 5))")
        }
        for secret in secrets where !secret.reference.name.isCertificate {
            let files = secret.files.map { "\($0)" as Phrase }
            let source = secret.provider.map { ", given by \($0.description)" as Phrase } ?? ""
            phrases.append(
                "the secret \(secret.reference.name.description) is written into \(files.list(first: 5))" + source)
        }
        phrases += certificatePhrases
        if isRollback, !secrets.isEmpty {
            phrases.append("what goes back gets the values that these secrets have now, not those of then")
        }
        let usual = Plan.Timeouts()
        var limits: [Phrase] = []
        if timeouts.action != usual.action { limits.append("\(timeouts.action) s for an action") }
        if timeouts.push != usual.push { limits.append("\(timeouts.push) s for a push of files") }
        if !limits.isEmpty { phrases.append("at most \(limits.list(", "))") }
        return phrases
    }

    /// A line for each certificate, as many as people read.
    private var certificatePhrases: [Phrase] {
        let limit = 20
        var phrases = certificates.prefix(limit).map { certificate -> Phrase in
            let worker = certificate.worker.map { " for \($0)" as Phrase } ?? ""
            let name = certificate.commonName.isEmpty ? "no common name" : "\(certificate.commonName)" as Phrase
            let names = certificate.names.map { "\($0)" as Phrase }
            let hosts = names.isEmpty ? "" : ", names \(names.list(first: 10))" as Phrase
            return "the certificate \(certificate.file)" + worker + ": " + name + hosts
                + ", valid until \(own: certificate.endsAt.utcText), SHA-256 \(own: String(certificate.fingerprint.hex.prefix(16)))"
        }
        if certificates.count > limit { phrases.append("and \(certificates.count - limit) other certificates") }
        return phrases
    }
}

extension Plan.Entry {
    /// A line for each glob that matched.
    var matchPhrases: [Phrase] {
        matched.map { "\($0.name) matches \($0.value.map { "\($0)" as Phrase }.list(first: 3))" }
    }
}

extension Plan.Job {
    /// What a gate asks; nil where the job has none.
    var gatePhrase: Phrase? {
        guard let check = healthCheck, hasGate else { return nil }
        let hooks = hooks(.healthCheck)
        if hooks.isEmpty { return check.phrase }
        let commands = hooks.map { "\($0.command)" as Phrase }.list(", then ")
        let probes: Phrase = check.checks.isEmpty ? "" : check.probes + ", \(check.timeoutSeconds) s each, then "
        return probes + commands + " on the controller; " + check.tries
    }
}

extension HealthCheck {
    /// Without what hooks add to it.
    var phrase: Phrase {
        checks.isEmpty ? "hooks alone; " + tries : probes + "; " + tries + ", \(timeoutSeconds) s each"
    }

    fileprivate var tries: Phrase {
        var text = "\(Wording.count(attempts, "attempt")), \(intervalSeconds) s apart"
        if successes > 1 { text += ", \(successes) in a row have to pass" }
        if initialDelaySeconds > 0 { text += ", the first after \(initialDelaySeconds) s" }
        return "\(own: text)"
    }

    fileprivate var probes: Phrase {
        checks.map { check -> Phrase in
            switch check {
            case .tcp(let port): "tcp :\(port)"
            case .http(let port, let path, let status): "http :\(port)\(path) answers \(status)"
            case .ssh(let command): "\(quoted: command) on the worker"
            }
        }.list(" and ")
    }
}
