internal import Model
public import Plans

/// The steps of a plan, one a line, in the order in which they run when nothing is side by side, with the ids under
/// which maand-apply records them.
public struct StepList {
    /// One step, and which others may run beside it.
    struct Row {
        let id: StepID
        /// Nil for the one that renames workers, which belongs to no job.
        let step: Step?
        /// Steps with the same number belong to one stage: the batch's allocations act in parallel, and a worker's own
        /// steps come one after the other. Stages of different jobs of one wave may overlap, too.
        let stage: Int
    }

    /// Those of a way back come last.
    ///
    /// - Parameters:
    ///   - plan: as it was read.
    ///   - stages: how many stages come before.
    static func rows(_ plan: Plan, after stages: Int = 0) -> [Row] {
        let graph = StepGraph(plan)
        var rows: [Row] = []
        rows.reserveCapacity(graph.steps.count)
        var stage = stages
        if !plan.renames.isEmpty {
            stage += 1
            rows.append(Row(id: .renames, step: nil, stage: stage))
        }
        for content in graph.units.lazy.flatMap(\.stages) {
            stage += 1
            let steps: [StepIndex] =
                switch content {
                case .single(let step): [step]
                case .afterHooks: content.steps
                // Hooks come when every allocation of the batch has acted, command after command; then all promotes.
                case .batch(let batch):
                    batch.lead + batch.chains.flatMap(\.steps)
                        + (0..<batch.rounds).flatMap { round in
                            batch.chains.compactMap { round < $0.hooks.count ? $0.hooks[round] : nil }
                        } + batch.chains.compactMap(\.promote)
                }
            rows += steps.map { index in
                Row(id: graph.steps[index].id, step: graph.steps[index], stage: stage)
            }
        }
        return rows + (plan.wholeWayBack.map { Self.rows($0, after: stage) } ?? [])
    }

    /// `stage  step id` on each line under the plan's id, for a terminal; the summary line comes last.
    public static func text(_ file: PlanFile) -> String {
        let rows = rows(file.plan)
        let width = max(5, String(rows.last?.stage ?? 0).count)
        var out = "Plan \(file.id)\n"
        if !rows.isEmpty { out += "stage  step (the steps of one stage act on their workers in parallel)\n" }
        for row in rows {
            let number = String(row.stage)
            out +=
                String(repeating: " ", count: width - number.count) + number + "  " + Escaping.terminal(row.id.text)
            out += "\n"
        }
        return out + file.plan.summaryLine + "\n"
    }
}
