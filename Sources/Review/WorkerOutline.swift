internal import Model
internal import Plans

/// What a plan does that acts on workers as a whole, as a reviewer reads it: what happens on each worker, which workers act
/// at a time, and what stops it. The same in every format.
struct WorkerOutline {
    struct Section {
        let title: String
        let lines: [Phrase]
    }

    private(set) var sections: [Section] = []

    /// Batches that are shown one by one; the others are counted.
    private static let shownBatches = 60
    private static let shownJobs = 40

    /// Lines of a script that are shown; the others are counted.
    private static let shownLines = 200

    /// Nil if the plan acts on allocations.
    ///
    /// - Parameter contents: for the script of a command; without it only its digest is shown.
    init?(_ plan: Plan, _ contents: FileContents) {
        switch plan.work {
        case .deploy, .jobCommand, .operation: return nil
        case .runCommand(let command):
            add("On each worker", [command.command.phrase])
            if let script = command.command.script { addScript(script, contents) }
            addBatches(command.workers, plan)
            add("What stops it", Self.stops(command, plan))
        case .reboot(let reboot):
            add("On each worker, in this order", Self.actions(reboot, plan))
            addJobs(plan)
            addBatches(reboot.workers, plan)
            add("What stops it", Self.stops(reboot, plan))
        }
    }

    private mutating func add(_ title: String, _ lines: [Phrase]) {
        if !lines.isEmpty { sections.append(Section(title: title, lines: lines)) }
    }

    private mutating func addScript(_ script: WorkerCommand.Script, _ contents: FileContents) {
        guard case .bytes(let bytes)? = contents.objects[script.digest] else {
            return add("The script", ["it is not at hand here: the bucket in which it was planned has it in store/"])
        }
        let text = String(decoding: bytes.last == 10 ? bytes.dropLast() : bytes[...], as: UTF8.self)
        let all = text.split(separator: "\n", omittingEmptySubsequences: false)
        var lines: [Phrase] = all.prefix(Self.shownLines).map { "| \(String($0))" }
        let rest = all.count - Self.shownLines
        if rest > 0 { lines.append("and \(own: Wording.count(rest, "more line"))") }
        add("The script, \(Wording.count(all.count, "line"))", lines)
    }

    private mutating func addBatches(_ workers: WorkerBatches, _ plan: Plan) {
        var lines: [Phrase] = []
        let jobs = plan.waves.flatMap(\.jobs)
        for (index, batch) in workers.batches.enumerated().prefix(Self.shownBatches) {
            let own = Set(batch)
            let there = jobs.filter { job in
                job.phases.contains { $0.batches.joined().contains { own.contains($0.worker) } }
            }
            let what: Phrase = there.isEmpty ? "" : ", with \(there.map { "\($0.job)" as Phrase }.list(first: 8))"
            lines.append("\(index + 1). \(WorkerList.phrase(batch))\(what)")
        }
        let rest = workers.batches.count - Self.shownBatches
        if rest > 0 { lines.append("and \(own: Wording.count(rest, "more batch", "more batches"))") }
        let size = workers.batches.map(\.count).max() ?? 0
        add(
            "\(Wording.count(workers.workers.count, "worker")) in \(Wording.count(workers.batches.count, "batch", "batches")), "
                + "at most \(size) at a time", lines)
    }

    /// The jobs in the order in which they are started.
    private mutating func addJobs(_ plan: Plan) {
        var lines: [Phrase] = []
        for wave in plan.waves {
            for job in wave.jobs {
                var line: Phrase = "wave \(wave.deploymentSequence): \(job.job) \(job.versionsPhrase)"
                let count = job.entries.count
                line = line + ", \(own: Wording.count(count, "allocation")) of \(job.active.count) active"
                if let most = job.maxUnavailable {
                    line =
                        line + ", never more than \(most) unavailable at a time, those included that are down already"
                }
                if let gate = job.healthCheck { line = line + "; gate: \(gate.phrase)" }
                lines.append(line)
            }
        }
        let rest = lines.count - Self.shownJobs
        lines = Array(lines.prefix(Self.shownJobs))
        if rest > 0 { lines.append("and \(own: Wording.count(rest, "more job"))") }
        add(
            "Jobs of the workers, in the order in which they are started, one after the other; they are stopped in reverse",
            lines)
    }

    private static func actions(_ reboot: Reboot, _ plan: Plan) -> [Phrase] {
        let rules = reboot.rules
        var lines: [Phrase] = []
        if let condition = rules.onlyIf {
            lines.append(
                "ask \(quoted: condition): with exit status 0 go on; with 1 to 125 the worker needs no reboot and is left alone"
            )
        }
        if !plan.waves.isEmpty { lines.append("stop its jobs, those that demand others first") }
        lines.append("send \(quoted: rules.command), once")
        lines.append("wait, \(rules.timeout) s at most, until it runs as another boot and answers")
        if !plan.waves.isEmpty { lines.append("start its jobs, those that are demanded first") }
        if plan.waves.contains(where: { $0.jobs.contains { $0.healthCheck != nil } }) {
            lines.append(
                "after the batch: the gate of every job that has an allocation on its workers, asked of all its active allocations"
            )
        }
        if rules.pauseSeconds > 0 { lines.append("then \(rules.pauseSeconds) s of pause before the next batch") }
        return lines
    }

    private static func stops(_ command: RunCommand, _ plan: Plan) -> [Phrase] {
        var lines: [Phrase] = [
            command.options.ignoresFailures
                ? "a failure stops nothing; the run ends as failed after its last batch"
                : "a worker on which the command fails: its batch ends, and no other begins"
        ]
        if !plan.waves.isEmpty {
            let jobs = plan.waves.flatMap(\.jobs).map { "\($0.job)" as Phrase }
            lines.append("a gate that does not pass after a batch: of \(jobs.list(first: 20))")
        }
        return lines + [unreachable(command.workers)]
    }

    private static func stops(_ reboot: Reboot, _ plan: Plan) -> [Phrase] {
        let jobs = plan.waves.flatMap(\.jobs)
        var lines: [Phrase] = ["a worker that did not reboot, or is not back, within \(reboot.rules.timeout) s"]
        if reboot.rules.onlyIf != nil {
            lines.append(
                "a condition that cannot be asked: it ends with 126 or more, or takes longer than \(RebootTask.commandTimeout) s"
            )
        }
        if !jobs.isEmpty {
            lines.append("a job on a worker that does not stop or start")
            lines.append("files of a job that differ from those that were promoted: before the batch begins")
        }
        if jobs.contains(where: { $0.healthCheck != nil }) { lines.append("a gate that does not pass after a batch") }
        if jobs.contains(where: { $0.maxUnavailable != nil }) {
            lines.append("a batch that would make more of a job unavailable than it allows: before the batch begins")
        }
        return lines + [
            unreachable(reboot.workers),
            "After any of these the other workers of the same batch finish all of their steps; no gate is asked, no other batch "
                + "begins, and workers of later batches stay as they are. On a worker that did not come back its jobs stay "
                + "stopped, until the run is continued with --retry-failed",
        ]
    }

    private static func unreachable(_ workers: WorkerBatches) -> Phrase {
        workers.maxUnreachable == 0
            ? "a worker that does not answer when its turn comes"
            : "more than \(own: Wording.count(workers.maxUnreachable, "worker")) that cannot be used when their turn comes; up to so "
                + "many are left behind as they are"
    }
}

extension WorkerCommand {
    /// What runs, and with which rights.
    var phrase: Phrase {
        let what: Phrase =
            text.map { "\(quoted: $0)" } ?? script.map { "the script \($0.file), \(own: $0.digest.short)" } ?? ""
        let rights = isWithoutSudo ? "with the login user's rights" : "with the rights that targets have"
        return "\(what), once, \(own: rights), \(timeout) s at most"
    }
}
