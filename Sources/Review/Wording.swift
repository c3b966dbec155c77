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
        case .unfinished: "unfinished before"
        case .forced: "forced"
        case .globMatched: "restart glob matched"
        case .contentChanged: "content changed"
        case .versionChanged: "version changed"
        case .disabled: "disabled"
        case .removed: "removed"
        }
    }

    static func part(_ action: LifecycleAction) -> Style.Part {
        switch action {
        case .start: .start
        case .restart, .reload, .sync: .change
        case .stop: .stop
        }
    }

    static func symbol(_ action: LifecycleAction) -> String {
        switch action {
        case .start: "+"
        case .restart, .reload, .sync: "~"
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

extension Plan {
    /// What the plan does, in one line: `Plan: 3 to start, 4 to restart; 12 unchanged.`
    public var summaryLine: String {
        switch kind {
        case .deploy: break
        case .jobCommand:
            let count = waves.lazy.flatMap(\.jobs).reduce(0) { $0 + $1.allocations(of: .cli) }
            return "Plan: a command to run for \(Wording.count(count, "allocation")), and nothing else."
        }
        var parts: [String] = []
        if !renames.isEmpty { parts.append("\(Wording.count(renames.count, "worker")) renamed") }
        for action in Plan.Summary.order where summary[action] > 0 {
            parts.append("\(summary[action]) to \(action.rawValue)")
        }
        let gates = waves.lazy.flatMap(\.jobs).filter { $0.gateFirst && $0.phases.isEmpty }.count
        if gates > 0 { parts.append("\(Wording.count(gates, "gate")) to pass") }
        let rest = waves.lazy.flatMap(\.jobs).filter { !$0.gateFirst && $0.phases.isEmpty }.count
        if rest > 0 { parts.append("\(Wording.count(rest, "job")) to complete") }
        let what = parts.isEmpty ? "nothing to do" : parts.joined(separator: ", ")
        return "Plan: \(what); \(summary.unchanged) unchanged."
    }
}
