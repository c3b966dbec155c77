internal import Model
internal import Plans

/// Compares the hooks of one event in two plans.
struct HookDifference {
    private(set) var items: [PlanDifference.Item] = []

    /// - Parameter title: whose hooks they are.
    init(_ old: [Plan.Hook], _ new: [Plan.Hook], _ title: Phrase) {
        if old == new { return }
        let before = Dictionary(old.map { ($0.command, $0) }) { $1 }
        let after = Dictionary(new.map { ($0.command, $0) }) { $1 }
        for hook in old {
            guard let other = after[hook.command] else {
                items.append(.init(sign: .removed, phrase: title + ": " + hook.phrase))
                continue
            }
            if hook != other {
                items.append(.init(sign: .changed, phrase: title + ": " + hook.phrase + " -> " + other.phrase))
            }
        }
        for hook in new where before[hook.command] == nil {
            items.append(.init(sign: .added, phrase: title + ": " + hook.phrase))
        }
        if items.isEmpty {
            let orders = [old, new].map { hooks in hooks.map { "\($0.command)" as Phrase }.list() }
            items.append(.init(sign: .changed, phrase: title + ": order: \(orders[0]) -> \(orders[1])"))
        }
    }
}
