public import Catalog
public import Model
public import Plans
public import StepMachinery

/// What to do now about a run that has not succeeded.
public struct Advice: Sendable {
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
    public var command = "the same command"
    /// `--until` was given.
    public var isLimited = false

    /// The job whose gate failed before anything of it has acted.
    private var leadingJob: JobName? {
        failed.lazy.compactMap { step in
            if case .gate(let gate) = step.task, gate.scope == .leading { step.job } else { nil }
        }.first
    }

    /// How a deploy is taken back that was given up.
    private var rollback: String {
        isDeploy ? " What it has begun goes back by `maand-plan rollback \(run)` then." : ""
    }

    /// Whole sentences; empty if the run has succeeded.
    public var text: String {
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
                + "change the workspace and plan again: what has not passed its gate acts first.\(rollback)"
                + (leadingJob.map {
                    " Where nothing of \($0) gets well by itself: maand-plan deploy --jobs \($0) --force --recover \($0)"
                } ?? "")
        case .failed:
            return
                "The checkpoint is kept. Remove the cause and run \(command) with --retry-failed, or \(abandon).\(rollback)"
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

    /// Of a run that a process has brought so far.
    ///
    /// - Parameters:
    ///   - failed: steps that failed or whose workers were unreachable.
    ///   - unknown: steps whose outcome a person has to find out.
    public init(_ run: RunID, _ plan: Plan?, _ result: StepMachine.Result, failed: [Step], unknown: [StepID]) {
        self.run = run
        self.result = result
        self.failed = failed
        self.unknown = unknown
        if case .operation = plan?.work { isOperation = true }
        goesBack = plan?.wayBack != nil
        isDeploy = plan?.kind == .deploy && plan?.origin == nil
    }

    /// About a run as it is recorded, while no process executes it; nil if nothing is to be done.
    ///
    /// - Parameter open: the latest attempts of steps that have not succeeded.
    public static func text(_ run: Run, _ plan: Plan?, open: [(step: Step?, record: StepRecord)]) -> String? {
        let unknown = open.filter { $0.record.state == .unknown }.map(\.record.step)
        let result: StepMachine.Result
        switch run.state {
        case .running, .parked: result = run.wayBack != nil && !unknown.isEmpty ? .unknown : .parked
        case .failed: result = !unknown.isEmpty ? .unknown : run.cause == .stale ? .stale : .failed
        case .succeeded, .abandoned, .rolledBack: return nil
        }
        if run.wayBack != nil { return wayBack(run.id, result, unknown: unknown) }
        let failed = open.filter { $0.record.state == .failed || $0.record.state == .unreachable }
        return Advice(run.id, plan, result, failed: failed.compactMap(\.step), unknown: unknown).text
    }

    /// About a way back that has not ended.
    public static func wayBack(_ run: RunID, _ result: StepMachine.Result, unknown: [StepID]) -> String {
        let abandon =
            "Or give it up (maand-apply abandon \(run) --reason '...') and plan the rest again: maand-plan rollback \(run)"
        switch result {
        case .succeeded, .parked: return "The same command continues it."
        case .failed:
            return "Remove the cause and run the same command with --retry-failed: it tries again what failed. "
                + abandon
        case .stale: return "Restore the expected state and run the same command. " + abandon
        case .unknown:
            let step = unknown.count == 1 ? unknown[0].text : "STEP"
            return "Look at the worker, then say what happened: maand-apply resolve \(run) \(step) succeeded|failed "
                + "--reason '...'. " + abandon
        }
    }
}
