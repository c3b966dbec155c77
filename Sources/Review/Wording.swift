internal import Model
public import Plans

/// The words in which a plan is told, for every format.
enum Wording {
    /// Makes a text from a plan safe to show on one line of a terminal.
    static func safe(_ text: String) -> String { Escaping.terminal(text) }

    /// `1 file`, `3 files`.
    static func count(_ number: Int, _ one: String, _ many: String? = nil) -> String {
        "\(number) \(number == 1 ? one : many ?? one + "s")"
    }

    static func reason(_ reason: Reason) -> String {
        switch reason {
        case .firstDeploy: "first deploy"
        case .reEnabled: "enabled again"
        case .stoppedByHand: "a person had stopped it"
        case .unfinished: "unfinished before"
        case .forced: "forced"
        case .globMatched: "restart glob matched"
        case .contentChanged: "content changed"
        case .versionChanged: "version changed"
        case .disabled: "disabled"
        case .removed: "removed"
        case .noWorkerMatches: "its selectors match no worker any more"
        case .requested: "asked for"
        case .rolledBack: "rolled back"
        }
    }

    static func part(_ action: LifecycleAction) -> Style.Part {
        switch action {
        case .start: .start
        case .restart, .reload, .sync, .run: .change
        case .stop: .stop
        }
    }

    static func symbol(_ action: LifecycleAction) -> String {
        switch action {
        case .start: "+"
        case .restart, .reload, .sync, .run: "~"
        case .stop: "-"
        }
    }

    /// In a cell and in the legend of a timeline.
    static func letter(_ action: LifecycleAction) -> String {
        switch action {
        case .start: "+"
        case .restart: "R"
        case .reload: "L"
        case .sync: "S"
        case .run: "T"
        case .stop: "×"
        }
    }

    static func symbol(_ change: ChangeKind) -> (symbol: String, part: Style.Part) {
        switch change {
        case .added: ("+", .start)
        case .modified, .mode: ("~", .change)
        case .removed: ("-", .stop)
        }
    }

    /// `812 bytes`, `1.4 KB`, `3.0 MB`.
    static func bytes(_ count: Int) -> String {
        if count < 1000 { return self.count(count, "byte") }
        let (unit, name) = count < 1_000_000 ? (1000, "KB") : (1_000_000, "MB")
        let tenths = count / (unit / 10)
        return "\(tenths / 10).\(tenths % 10) \(name)"
    }
}

extension Plan.GateFirst {
    /// Why the gate comes first.
    var phrase: String {
        switch self {
        case .unfinished: "the last one failed or never ran"
        case .afterStops: "other allocations of the job are stopped before"
        }
    }
}

extension Plan {
    /// What the plan does, in one line: `Plan: 3 to start, 4 to restart; 12 unchanged.`
    public var summaryLine: String {
        switch kind {
        case .deploy: break
        case .jobCommand:
            let count = waves.lazy.flatMap(\.jobs).reduce(0) { $0 + $1.active.count + $1.disabled.count }
            return "Plan: a command to run for \(Wording.count(count, "allocation")), and nothing else."
        case .restart, .start, .stop, .runTarget: return operationLine ?? ""
        case .runCommand, .reboot: return workersLine ?? ""
        }
        var parts: [String] = []
        if !renames.isEmpty { parts.append("\(Wording.count(renames.count, "worker")) renamed") }
        for action in Plan.Summary.order where summary[action] > 0 {
            parts.append("\(summary[action]) to \(action.rawValue)")
        }
        let gates = waves.lazy.flatMap(\.jobs).filter { $0.gateFirst != nil && $0.phases.isEmpty }.count
        if gates > 0 { parts.append("\(Wording.count(gates, "gate")) to pass") }
        let rest = waves.lazy.flatMap(\.jobs).filter { $0.gateFirst == nil && $0.phases.isEmpty }.count
        if rest > 0 { parts.append("\(Wording.count(rest, "job")) to complete") }
        let what = parts.isEmpty ? "nothing to do" : parts.joined(separator: ", ")
        if let origin { return "Plan: rolls run \(origin.rollback) back: \(what)." }
        return "Plan: \(what); \(summary.unchanged) unchanged."
    }
}

extension Plan {
    /// `Plan: restart 6 allocations of 2 jobs, in 4 batches.`
    private var operationLine: String? {
        guard case .operation(let operation) = work else { return nil }
        let what =
            switch operation.verb {
            case .restart: "restart"
            case .start: "start what does not run of"
            case .stop: "stop"
            case .target(let name): "run the target `\(name)` on"
            }
        let counts = operation.summary
        let left = operation.stopped.reduce(0) { $0 + $1.value.count }
        let rest =
            left == 0 ? "" : " \(Wording.count(left, "allocation stays", "allocations stay")) stopped by a person."
        if counts.allocations == 0 { return "Plan: nothing to do." + rest }
        let jobs = waves.reduce(0) { $0 + $1.jobs.count }
        return "Plan: \(what) \(Wording.count(counts.allocations, "allocation")) of \(Wording.count(jobs, "job")), "
            + "in \(Wording.count(counts.batches, "batch", "batches"))." + rest
    }
}

extension Plan {
    /// `Plan: reboot 40 workers in 20 batches; 63 allocations are stopped and started.`
    private var workersLine: String? {
        guard let workers = work.workerBatches else { return nil }
        let count = Wording.count(workers.workers.count, "worker")
        let batches = "in \(Wording.count(workers.batches.count, "batch", "batches"))"
        switch work {
        case .deploy, .jobCommand, .operation: return nil
        case .runCommand: return "Plan: a command on \(count), \(batches)."
        case .reboot(let reboot):
            let allocations = Wording.count(reboot.summary.allocations, "allocation is", "allocations are")
            let most = reboot.rules.onlyIf == nil ? "" : "up to "
            return "Plan: reboot \(most)\(count) \(batches); \(most)\(allocations) stopped and started."
        }
    }
}
