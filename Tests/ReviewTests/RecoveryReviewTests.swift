import Model
import Plans
import Testing

@testable import Review

@Suite struct RecoveryReviewTests {
    /// Three workers; the first two have not passed their gate, or the plan does not know why they come first.
    private func plan(gates: [GateDebt?], action: LifecycleAction = .restart) throws -> Plan {
        var plan = try Samples.plan(workers: ["w1", "w2", "w3"], batch: 1)
        var entries = plan.work.body.waves[0].jobs[0].phases[0].batches.flatMap(\.self)
        for index in entries.indices {
            entries[index].action = action
            entries[index].matched = []
            entries[index].reason = .contentChanged
            if index < gates.count { entries[index].gate = gates[index] }
        }
        plan.work.body.waves[0].jobs[0].phases = [
            Plan.Phase(
                kind: .recover, batches: entries.prefix(gates.count).map { [$0] }, gate: .afterEachBatchAndPhase),
            Plan.Phase(kind: .upgrade, batches: [Array(entries.dropFirst(gates.count))], gate: .afterEachBatch),
        ]
        return plan
    }

    private func texts(_ plan: Plan) -> [String] {
        let file = PlanFile(plan)
        return [
            TextReview.text(file, color: false), MarkdownReview.text(file, showsSteps: false),
            HTMLReview.page(file, showsSteps: false),
        ]
    }

    @Test func everyFormSaysWhatIsMendedFirst() throws {
        for text in texts(try plan(gates: [.failed, .owed])) {
            #expect(text.contains("recovers 2 allocations that never passed their gate, then upgrades 1"), "\(text)")
            #expect(text.contains("failed the last gate"))
        }
    }

    @Test func whatActsFirstForAnotherReasonIsNotSaidToHaveFailed() throws {
        let text = TextReview.text(PlanFile(try plan(gates: [.owed, nil])), color: false)
        #expect(
            text.contains(
                "recovers 1 allocation that never passed its gate and 1 allocation that is not known to be well, then "
                    + "upgrades 1"))
    }

    @Test func aGateAfterAReloadHasToHold() throws {
        let warning = "after a reload the old process may still answer this gate"
        var plan = try plan(gates: [.failed], action: .reload)
        for text in texts(plan) { #expect(text.contains(warning)) }
        for hold in [\HealthCheck.successes, \HealthCheck.initialDelaySeconds] {
            var held = plan
            held.work.body.waves[0].jobs[0].healthCheck?[keyPath: hold] = 2
            #expect(!TextReview.text(PlanFile(held), color: false).contains(warning))
        }
        plan.work.body.waves[0].jobs[0].batching.bakeSeconds = 1
        #expect(!TextReview.text(PlanFile(plan), color: false).contains(warning))
        let restarts = TextReview.text(PlanFile(try self.plan(gates: [.failed])), color: false)
        #expect(!restarts.contains(warning))
    }

    @Test func everyFormSaysHowManyHostsMayBeLeftBehind() throws {
        var plan = try plan(gates: [.failed])
        plan.work.body.options.maxUnreachable = .percent(50)
        plan.work.body.waves[0].jobs[0].batching.maxUnreachable = 2
        for text in texts(plan) {
            #expect(text.contains("goes on without up to 2 allocations"))
            #expect(text.contains("--max-unreachable 50%"))
        }
    }
}
