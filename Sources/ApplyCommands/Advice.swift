import Catalog
import Model
import Plans
import StepMachinery
import UseCases

/// What to do now about a run that has not succeeded.
struct Advice {
    let run: RunID
    let result: StepMachine.Result
    /// Steps that failed or whose workers were unreachable.
    var failed: [Step] = []
    var unknown: [StepID] = []
    /// The plan runs a target on what is deployed.
    var isOperation = false
    /// The plan is a deploy that takes no run back.
    var isDeploy = false
    /// The run goes back, unless what failed is tried again.
    var goesBack = false
    /// What continues the run.
    var command = "the same command"
    /// `--until` was given.
    var isLimited = false

    /// The job whose gate failed before anything of it has acted.
    private var leadingJob: JobName? {
        failed.lazy.compactMap { step in
            if case .gate(let gate) = step.task, gate.scope == .leading { step.job } else { nil }
        }.first
    }

    /// How a deploy is taken back that was given up.
    private var wayBack: String { isDeploy ? " What it has begun goes back by `maand-plan rollback \(run)` then." : "" }

    /// Whole sentences.
    var text: String {
        let abandon = "give it up: maand-apply abandon \(run) --reason '...'"
        switch result {
        case .succeeded: return ""
        case .parked:
            return
                "\(command.prefix(1).uppercased())\(command.dropFirst()) continues it\(isLimited ? ", without --until" : "")."
        case .failed where goesBack && failed.contains { $0.job != nil }:
            return "\(command.prefix(1).uppercased())\(command.dropFirst()) takes the run back. With --retry-failed it "
                + "tries again what failed. Or \(abandon)"
        case .failed where !failed.isEmpty && failed.allSatisfy(\.task.rules.isProbe):
            return
                "The checkpoint is kept. Remove the cause and run \(command), which asks again. Or \(abandon); then "
                + "change the workspace and plan again: what has not passed its gate acts first.\(wayBack)"
                + (leadingJob.map {
                    " Where nothing of \($0) gets well by itself: maand-plan deploy --jobs \($0) --force --recover \($0)"
                } ?? "")
        case .failed:
            return
                "The checkpoint is kept. Remove the cause and run \(command) with --retry-failed, or \(abandon).\(wayBack)"
        case .stale where isOperation:
            return
                "Restore the expected state and run \(command). Or \(abandon); then `maand-plan deploy` replaces what was "
                + "changed on workers, and a plan with --allow-drift runs the target in spite of it."
        case .stale:
            return
                "Restore the expected state and run \(command), or \(abandon). The next plan then replaces what was "
                + "changed on workers."
        case .unknown:
            let step = unknown.count == 1 ? unknown[0].text : "STEP"
            return "Look at the worker, then say what happened: maand-apply resolve \(run) \(step) succeeded|failed "
                + "--reason '...'. Or \(abandon)"
        }
    }

    /// Of a run as it is recorded, while no process executes it; nil where nothing is to be done.
    ///
    /// - Parameter open: the latest attempts of steps that have not succeeded.
    init?(_ run: Run, _ plan: Plan?, open: [(step: Step?, record: StepRecord)]) {
        self.run = run.id
        if case .operation = plan?.work { isOperation = true }
        goesBack = plan?.wayBack != nil
        isDeploy = plan?.kind == .deploy && plan?.origin == nil
        failed = open.filter { $0.record.state == .failed || $0.record.state == .unreachable }.compactMap(\.step)
        unknown = open.filter { $0.record.state == .unknown }.map(\.record.step)
        switch run.state {
        case .running, .parked: result = .parked
        case .failed:
            result = !unknown.isEmpty ? .unknown : run.cause == .stale ? .stale : .failed
        case .succeeded, .abandoned, .rolledBack: return nil
        }
    }

    /// Of a run that this process has brought so far.
    ///
    /// - Parameter isFromFile: the plan can be named again.
    init(
        _ run: Run, _ plan: Plan, _ result: StepMachine.Result, _ problems: [ApplyRun.Problem], isLimited: Bool,
        isFromFile: Bool
    ) {
        if !isFromFile { command = "`maand-apply run:\(run.id)`" }
        self.run = run.id
        if case .operation = plan.work { isOperation = true }
        goesBack = plan.wayBack != nil
        isDeploy = plan.kind == .deploy && plan.origin == nil
        self.result = result
        failed = problems.filter { $0.state == .failed || $0.state == .unreachable }.map(\.step)
        unknown = problems.filter { $0.state == .unknown }.map(\.step.id)
        self.isLimited = isLimited
    }
}
