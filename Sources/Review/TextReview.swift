public import Model

/// A plan as a text for people: what happens where, in which order, and why.
///
/// Readable for three workers and for three thousand: equal entries are grouped, long lists are cut and counted. The
/// plan file has every detail. All texts from the plan are escaped, so that none can forge a line of the review.
public struct TextReview {
    private let file: PlanFile
    private let plan: Plan
    private let style: Style
    private var lines: [String] = []

    /// File changes of one state that are shown; the others are counted.
    private static let shownChanges = 30
    /// From here on, equal batches in a row are told as one.
    private static let manyBatches = 4

    private init(_ file: PlanFile, _ style: Style) {
        self.file = file
        plan = file.plan
        self.style = style
    }

    /// The text, with a line feed at its end.
    public static func text(_ file: PlanFile, color: Bool) -> String {
        var review = TextReview(file, Style(hasColor: color))
        review.write()
        return review.lines.joined(separator: "\n") + "\n"
    }

    private mutating func write() {
        writeHead()
        if !plan.reconcile.isEmpty { writeStops() }
        for wave in plan.waves {
            add(0, "")
            add(0, style(.heading, "Wave \(wave.deploymentSequence)"))
            for job in wave.jobs { write(job) }
        }
        add(0, "")
        if !plan.isEmpty {
            add(0, style(.detail, "Not bound by the plan: programs on the workers, and whatever targets fetch."))
        }
        add(0, style(.heading, plan.summaryLine))
    }

    private mutating func add(_ indent: Int, _ text: String) {
        lines.append(text.isEmpty ? "" : String(repeating: " ", count: indent) + text)
    }

    // MARK: Head

    private mutating func writeHead() {
        add(0, style(.heading, "Plan \(file.id)"))
        add(
            0,
            "\(plan.kind.rawValue) in bucket \(Wording.safe(plan.bucket)), made at catalog revision "
                + "\(plan.base.catalogRevision)")
        var options: [String] = []
        if !plan.options.jobs.isEmpty {
            options.append("--jobs " + plan.options.jobs.map(\.text).joined(separator: ","))
        }
        if plan.options.force { options.append("--force") }
        if plan.options.syncOnly { options.append("--sync-only") }
        if !options.isEmpty { add(0, "planned with " + options.joined(separator: " ")) }
        let failure =
            switch plan.policy.onFailure {
            case .stop: "after a failure no batch starts anywhere"
            case .continue: "after a failure jobs that do not demand the failed one go on"
            }
        add(0, "\(failure); up to \(Wording.count(plan.policy.jobParallelism, "job")) side by side")
        writeWorkers()
    }

    /// Where workers are reached: a stranger's plan must not lead elsewhere unseen.
    private mutating func writeWorkers() {
        let root = Wording.safe(plan.workerRoot)
        switch plan.transport {
        case .local:
            add(0, "\(Wording.count(plan.workers.count, "worker")), each a folder of this machine, below \(root)")
        case .ssh:
            var ways: [(text: String, count: Int)] = []
            for worker in plan.workers {
                let way = worker.ssh.map { "\(Wording.safe($0.user)), port \($0.port)" } ?? "?"
                if let index = ways.firstIndex(where: { $0.text == way }) {
                    ways[index].count += 1
                } else {
                    ways.append((way, 1))
                }
            }
            for way in ways.prefix(8) {
                add(0, "\(Wording.count(way.count, "worker")) over ssh as \(way.text), below \(root)")
            }
            if ways.count > 8 { add(0, "and \(ways.count - 8) more ways to reach workers") }
        }
        let renamed = plan.workers.filter { $0.address != $0.worker.text }
        for worker in renamed.prefix(10) { add(2, "\(worker.worker) at \(Wording.safe(worker.address))") }
        if renamed.count > 10 { add(2, "and \(renamed.count - 10) more at another address than their name") }
    }

    // MARK: Stops

    private mutating func writeStops() {
        add(0, "")
        add(0, style(.heading, "Stops, before the first wave"))
        var groups: [(job: JobName, reason: Reason, version: String, workers: [WorkerName])] = []
        for stop in plan.reconcile {
            if let last = groups.indices.last, groups[last].job == stop.allocation.job,
                groups[last].reason == stop.reason, groups[last].version == stop.from.version
            {
                groups[last].workers.append(stop.allocation.worker)
            } else {
                groups.append((stop.allocation.job, stop.reason, stop.from.version, [stop.allocation.worker]))
            }
        }
        for group in groups {
            let files =
                switch group.reason {
                case .removed: "; deployed files go, data and logs stay"
                case .disabled, .firstDeploy, .reEnabled, .unfinished, .forced, .globMatched, .contentChanged,
                    .versionChanged:
                    ""
                }
            add(
                2,
                style(.stop, "- stop") + " \(style(.name, group.job.text)) \(Wording.safe(group.version)) on "
                    + WorkerList.text(group.workers) + detail(Wording.reason(group.reason) + files))
        }
    }

    // MARK: Jobs

    private mutating func write(_ job: Plan.Job) {
        var counts: [LifecycleAction: Int] = [:]
        for entry in job.phases.lazy.flatMap(\.batches).joined() { counts[entry.action, default: 0] += 1 }
        let what = LifecycleAction.allCases.compactMap { action in
            counts[action].map { style(Wording.part(action), "\($0) to \(action.rawValue)") }
        }
        add(
            2,
            style(.name, job.job.text) + " " + versions(job)
                + (what.isEmpty ? "" : ": " + what.joined(separator: ", ")))
        if !job.demands.isEmpty { add(6, style(.detail, "demands " + job.demands.map(\.text).joined(separator: ", "))) }
        if job.gateFirst {
            add(6, style(.change, "gate first") + detail("the last one failed or never ran"))
        } else if job.phases.isEmpty {
            add(6, "only completes the rollout that was not completed")
        }
        for state in job.changes { write(state.value, of: state.name, in: job) }
        for phase in job.phases { write(phase, of: job) }
        if let check = job.healthCheck { add(6, "gate: " + Wording.healthCheck(check)) }
        if !job.ports.isEmpty {
            add(6, style(.detail, "ports: " + job.ports.map { "\($0.name) \($0.value)" }.joined(separator: ", ")))
        }
    }

    /// `2.0.0 -> 2.1.0`, or the several versions that are there now.
    private func versions(_ job: Plan.Job) -> String {
        let new = Wording.safe(job.version)
        var old: [String] = []
        for state in job.from where state.value.content != nil {
            let version = Wording.safe(state.value.version)
            if !old.contains(version) { old.append(version) }
        }
        if old.isEmpty || old == [new] { return new }
        let shown = old.prefix(4).joined(separator: ", ") + (old.count > 4 ? ", …" : "")
        return "\(shown) -> \(new)"
    }

    private mutating func write(_ changes: [FileChange], of state: String, in job: Plan.Job) {
        guard !changes.isEmpty else { return }
        let from = job.from.first { $0.name == state }?.value
        let isAlone = job.changes.filter { !$0.value.isEmpty }.count == 1
        let before: String
        if let from, from.content == nil, from.unfinished == nil {
            before = "files (new)"
        } else {
            let version = Wording.safe(from?.version ?? "")
            let rest = from?.unfinished == nil ? "" : ", with an unfinished rollout on top"
            before =
                isAlone && from?.unfinished == nil ? "files" : "files (from \(version)\(rest), \(Wording.safe(state)))"
        }
        add(6, before)
        for change in changes.prefix(Self.shownChanges) {
            let (symbol, part) = Wording.symbol(change.kind)
            let note = change.kind == .mode ? detail("type or mode") : ""
            add(8, style(part, symbol) + " " + Wording.safe(change.path) + note)
        }
        let rest = changes.count - Self.shownChanges
        if rest > 0 { add(8, "and \(Wording.count(rest, "more file"))") }
    }

    // MARK: Batches

    private mutating func write(_ phase: Plan.Phase, of job: Plan.Job) {
        let title =
            switch phase.kind {
            case .start: "start"
            case .upgrade: "upgrade"
            }
        let gate =
            switch phase.gate {
            case .none: "no gate"
            case .afterPhase: "a gate at the end"
            case .afterEachBatch: "a gate after each batch"
            }
        let spread = job.batching.spread.map { ", one value of the tag \(Wording.safe($0)) at a time" } ?? ""
        add(6, "\(title) in \(Wording.count(phase.batches.count, "batch", "batches"))\(spread), \(gate)")
        var index = 0
        while index < phase.batches.count {
            let kind = BatchKind(phase.batches[index])
            var end = index + 1
            while end < phase.batches.count, BatchKind(phase.batches[end]) == kind { end += 1 }
            // The last batch of a run is often smaller: it is told with the others.
            if end < phase.batches.count, BatchKind(phase.batches[end]).isLess(than: kind) { end += 1 }
            if end - index >= Self.manyBatches {
                write(Array(phase.batches[index..<end].joined()), "\(index + 1)–\(end)", each: kind.size, of: job)
            } else {
                for at in index..<end { write(phase.batches[at], "\(at + 1)", each: nil, of: job) }
            }
            index = end
        }
    }

    private mutating func write(_ entries: [Plan.Entry], _ number: String, each: Int?, of job: Plan.Job) {
        var groups: [(first: Plan.Entry, workers: [WorkerName])] = []
        var places: [EntryKind: Int] = [:]
        for entry in entries {
            if let place = places[EntryKind(entry)] {
                groups[place].workers.append(entry.worker)
            } else {
                places[EntryKind(entry)] = groups.count
                groups.append((entry, [entry.worker]))
            }
        }
        let size = each.map { ", \($0) at a time" } ?? ""
        for (place, group) in groups.enumerated() {
            let action = group.first.action
            let label = place == 0 ? "\(number)." : String(repeating: " ", count: number.count + 1)
            add(
                8,
                "\(label) " + style(Wording.part(action), "\(Wording.symbol(action)) \(action.rawValue)") + " "
                    + WorkerList.text(group.workers) + (place == 0 ? size : "")
                    + detail(Wording.reason(group.first.reason)))
            for glob in group.first.matched {
                let paths = glob.value.prefix(3).map(Wording.safe).joined(separator: ", ")
                let rest = glob.value.count > 3 ? " and \(glob.value.count - 3) more" : ""
                add(8 + label.count + 3, style(.detail, "\(Wording.safe(glob.name)) matches \(paths)\(rest)"))
            }
        }
    }

    private func detail(_ text: String) -> String { style(.detail, "  (\(text))") }
}

/// What makes entries equal to a reviewer.
private struct EntryKind: Hashable {
    let action: LifecycleAction
    let reason: Reason
    let from: String

    init(_ entry: Plan.Entry) {
        action = entry.action
        reason = entry.reason
        from = entry.from
    }
}

/// What makes batches equal to a reviewer: how many entries of which kinds.
private struct BatchKind: Equatable {
    private let counts: [EntryKind: Int]

    init(_ batch: [Plan.Entry]) { counts = batch.reduce(into: [:]) { $0[EntryKind($1), default: 0] += 1 } }

    var size: Int { counts.values.reduce(0, +) }

    /// The same kinds, and none of them more often.
    func isLess(than other: BatchKind) -> Bool {
        counts.allSatisfy { $0.value <= other.counts[$0.key] ?? 0 }
    }
}
