import Approvals
import ArgumentParser
import Catalog
import Commands
import Executor
import Foundation
import Model
import Plans
import RunViews
import StepMachinery
import ThisHost
import UseCases
import Windows

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Begins or continues the run of a plan file (the default command).")

    @OptionGroup var options: ApplyOptions

    @Argument(
        help: "The plan file, `-` for standard input, or `run:N` for the plan of run N, as it was kept.",
        completion: .file())
    var plan: String

    @Flag(help: "Make a new attempt of what failed or was unreachable; recorded.")
    var retryFailed = false

    @Flag(help: "Take workers from another controller, or from a later run than this; recorded.")
    var takeOver = false

    @Option(
        help: ArgumentHelp("Park after the wave with this `deployment_seq`, such as `wave:0`.", valueName: "wave:N"))
    var until: WaveLimit?

    @Flag(help: "Accept and record the host key of a worker of which none is known (ssh).")
    var acceptNew = false

    @Option(
        help: ArgumentHelp(
            "The folder with the plan's signatures; without it the plan's name with `.sig.d`.", valueName: "folder"),
        completion: .directory)
    var signatures: String?

    @Flag(help: "Run without the approvals that are missing; where the policy lets you, with --reason, recorded.")
    var overrideApproval = false

    @Option(parsing: .unconditional, help: "Why --override-approval; recorded.")
    var reason: String?

    @Flag(
        help: """
            Where the plan's window is closed, or has no room for what comes next, wait for its next opening; and where \
            another command holds the bucket, for its end.
            """)
    var wait = false

    @Flag(help: "Do not ask: with a plan on standard input and output on a terminal, a person is asked first.")
    var yes = false

    @Flag(help: "Print the steps that the command would do, and do nothing.")
    var dryRun = false

    @Option(
        help: ArgumentHelp(
            "Append what happens, and how the run stands, to this file, one JSON object a line; - writes to standard output, and "
                + "text goes to standard error.", valueName: "file"),
        completion: .file())
    var events: String?

    @Flag(
        name: .shortAndLong,
        help: "Print a line for each step that begins or ends, besides those for what ends as a whole.")
    var verbose = false

    @Flag(name: .shortAndLong, help: "Print failures and the end alone.")
    var quiet = false

    func validate() throws {
        guard !(verbose && quiet) else { throw ValidationError("--verbose and --quiet exclude each other.") }
        guard overrideApproval == (reason != nil) else {
            throw ValidationError("--override-approval and --reason TEXT go together.")
        }
        if let reason { try requireReason(reason) }
    }

    func run() async throws {
        try await reportingFailures {
            _ = try options.configuration()
            let file = try PlanFile.read(readPlan(), file: planName)
            if dryRun { return try await preview(file) }
            if plan == "-", !yes, !file.plan.isEmpty, !(try isKnown(file)) {
                try Confirmation.ask(about: file, terminal)
            }
            while let hold = try await applyOnce(file) {
                guard wait, let next = hold.next else {
                    throw Failure(hold, plan: planName)
                }
                say("\(hold.reason). Waiting for the next opening: \(hold.nextText ?? next.utcText)")
                try await sleep(until: next, file)
            }
        }
    }

    /// For people. Standard output is for programs if events go there.
    private var terminal: Terminal { Terminal(options.color, isOnErrorOutput: events == "-") }

    private func say(_ text: String) { terminal.print(terminal.escape(text)) }

    private func sleep(until instant: Timestamp, _ file: PlanFile) async throws {
        let since = Clock.system.now()
        try await Waiting.until(instant, .system, Signals.parkRequests()) { try paused(file, since: since) }
    }

    /// The bucket, with `--wait` as soon as nobody else holds it.
    private func lock(_ file: PlanFile) async throws -> BucketLock {
        let began = Clock.system.now()
        var told = began.milliseconds
        var isTold = false
        while true {
            do {
                return try options.lock(plan: file.id)
            } catch let error as LockError where wait && error.code == .bucketLocked {
                let now = Clock.system.now()
                let waited = now.milliseconds - began.milliseconds
                if !isTold { say("\(error) Waiting for it.") }
                // Every five seconds, and later every minute.
                if isTold, now.milliseconds - told >= (waited < 60_000 ? 5_000 : 60_000) {
                    say("Still waiting, for \(durationText(milliseconds: waited)): \(error)")
                    told = now.milliseconds
                }
                isTold = true
                try await sleep(until: Timestamp(milliseconds: now.milliseconds + 1000), file)
            }
        }
    }

    /// What somebody has asked for while this process waits: `pause` means it, too.
    private func paused(_ file: PlanFile, since: Timestamp) throws -> ParkRequest? {
        guard let catalog = try options.catalog(), let run = try catalog.latestRun(of: file.id) else { return nil }
        return try catalog.decisions(run.id).last { $0.what == .pause && $0.at >= since }.map {
            ParkRequest(.pause(by: $0.by, reason: $0.reason))
        }
    }

    /// The bucket is locked only meanwhile, so that somebody else can use it while this process waits.
    ///
    /// - Returns: why nothing goes on now; nil where the run came to an end.
    private func applyOnce(_ file: PlanFile) async throws -> WindowHold? {
        let lock = try await lock(file)
        defer { withExtendedLifetime(lock) {} }
        do {
            return try await apply(file)
        } catch let hold as WindowHold {
            return hold
        } catch let refusal as RolloutError {
            throw Failure(refusal, plan: planName)
        }
    }

    /// For messages.
    private var planName: String {
        if plan == "-" { return "standard input" }
        return keptRun.map { "the plan of run \($0)" } ?? plan
    }

    /// The file of the plan; nil if it is none.
    var planFile: String? { plan == "-" || keptRun != nil ? nil : plan }

    /// `run:N`: the run whose plan was kept.
    private var keptRun: RunID? {
        plan.hasPrefix("run:") ? RunID(argument: String(plan.dropFirst(4))) : nil
    }

    /// Whether the plan has a run already, so that somebody has said yes.
    private func isKnown(_ file: PlanFile) throws -> Bool { try options.catalog()?.latestRun(of: file.id) != nil }

    private func apply(_ file: PlanFile) async throws -> WindowHold? {
        let log = try events.map { try eventLog($0, file.id) }
        // There is one as soon as there is a context; nothing happens before.
        let known = Shared<Catalog?>(nil)
        let progress = ProgressPrinter(
            terminal, drawsView: events != "-", isColored: options.color.isOn,
            quiet ? .quiet : verbose ? .verbose : .normal,
            records: .init(
                durations: { job in (try? known.value?.durations(of: job)) ?? [:] },
                output: { run, step in try? known.value?.output(of: run, step: step) }),
            observe: { event in log?.write(event) })
        defer { progress.stop() }
        let context = try options.context(approval) { event in
            progress.show(event)
            log?.write(event)
        }
        defer { context.close() }
        known.value = context.catalog
        if !file.plan.isEmpty, isWithoutPolicy {
            say("Nobody's approval was asked for: this host has no approval policy.")
        }
        let ending: ApplyRun.Ending
        let updating = log?.updating()
        do {
            ending = try await ApplyRun(file, options: try choices(for: file.plan), in: context)
                .apply(parkRequests: Signals.parkRequests())
        } catch {
            progress.stop()
            await Self.end(updating, log)
            log?.write(Failure(of: error))
            throw error
        }
        progress.stop()
        await Self.end(updating, log)
        return try conclude(ending, file.plan)
    }

    /// Prints how the run ended, and ends the command if that was not well.
    ///
    /// - Returns: why nothing goes on now; nil if the run came to an end.
    private func conclude(_ ending: ApplyRun.Ending, _ plan: Plan) throws -> WindowHold? {
        showOutput(of: ending, of: plan)
        let printer = EndingPrinter(terminal: terminal, recap: try recap(of: ending))
        switch ending {
        case .nothingToDo: sayNothingToDo()
        case .alreadyDone(let run): sayDone(run)
        case .rolledBack(let run, let problems, let isNew):
            printer.concludeRolledBack(run, problems, isNew: isNew)
            try sayDrained(by: run, plan)
            throw ExitCode(Exit.failed.rawValue)
        case .wayBackEnded(let run, let result, let problems, let stale, let leftBehind, let found):
            printer.concludeWayBack(run, result, problems, stale, leftBehind, found)
            try sayDrained(by: run, plan)
            if let status = Self.status(of: result) { throw ExitCode(status.rawValue) }
        case .ended(let run, let result, let problems, let stale, let leftBehind):
            printer.conclude(
                run, result, problems, stale, leftBehind, try drained(by: run, plan),
                advice(run, plan, result, problems))
            if let status = Self.status(of: result) { throw ExitCode(status.rawValue) }
        case .reachedLimit(let run, let leftBehind):
            printer.concludeLimit(run, leftBehind, try drained(by: run, plan))
        case .held(let run, let hold):
            printer.concludeHeld(run, try drained(by: run, plan))
            return hold
        }
        return nil
    }

    /// Nil if nothing was done, or what is recorded cannot be read: then the end of the run is told all the same.
    private func recap(of ending: ApplyRun.Ending) throws -> Recap? {
        guard let run = ending.run, let catalog = try options.catalog() else { return nil }
        return try? Recap(run, catalog, ContentStore(in: options.folder))
    }

    private func advice(
        _ run: Run, _ plan: Plan, _ result: StepMachine.Result, _ problems: [ApplyRun.Problem]
    ) -> Advice {
        var advice = Advice(
            run.id, plan, result,
            failed: problems.filter { $0.state == .failed || $0.state == .unreachable }.map(\.step),
            unknown: problems.filter { $0.state == .unknown }.map(\.step.id))
        if self.plan == "-" { advice.command = "`maand-apply run:\(run.id)`" }
        advice.isLimited = until != nil
        return advice
    }

    /// What the run, or another one before it, has drained and not put back, of the plan's jobs.
    private func drained(by run: Run, _ plan: Plan) throws -> [AllocationID] {
        try options.catalog()?.drained(by: run.id, of: plan.touchedJobs) ?? []
    }

    private func sayDrained(by run: Run, _ plan: Plan) throws {
        if let text = try drained(by: run, plan).drainedSummary { say(text) }
    }

    /// What a command printed on its workers is what a person has asked for.
    private func showOutput(of ending: ApplyRun.Ending, of plan: Plan) {
        guard case .runCommand = plan.work, case .ended(let run, _, _, _, _) = ending else { return }
        guard let catalog = try? options.catalog(), let graph = try? StepGraph(plan, catalog, of: run.id),
            let groups = try? OutputGroups([graph], catalog, of: run, isEverything: false)
        else { return }
        groups.lines(terminal, in: options.folder).forEach(terminal.print)
    }

    private var approval: ApprovalCheck {
        options.approval(plan: planFile, signatures: signatures)
    }

    /// Where there is one that cannot be read, the rollout says so.
    private var isWithoutPolicy: Bool { do { return try approval.policy() == nil } catch { return false } }

    /// - Throws: `Failure` if the plan has no waves to which `--until` could apply.
    private func choices(for plan: Plan) throws -> ApplyRun.Options {
        if until != nil, plan.work.workerBatches != nil {
            throw Failure(.usage, "--until names a wave, and this plan goes by batches of workers")
        }
        return ApplyRun.Options(
            retryFailed: retryFailed,
            lastWave: until.map { limit in
                plan.waves.lastIndex {
                    plan.isReversed
                        ? $0.deploymentSequence >= limit.sequence : $0.deploymentSequence <= limit.sequence
                } ?? -1
            },
            takeOver: takeOver, acceptsNewHosts: acceptNew, overrideReason: reason)
    }

    private func sayNothingToDo() { terminal.print("Nothing to do: the plan holds no action.") }

    private func sayDone(_ run: Run) {
        terminal.print("Done already: run \(run.id) of this plan succeeded. Nothing was touched.")
    }

    private func preview(_ file: PlanFile) async throws {
        do {
            let context = try options.context(approval, isReadOnly: true)
            switch try await ApplyRun(file, options: try choices(for: file.plan), in: context).preview() {
            case .nothingToDo: sayNothingToDo()
            case .alreadyDone(let run): sayDone(run)
            case .rolledBack(let run): terminal.print(EndingPrinter.rolledBack(run))
            case .steps(let steps):
                for step in steps { terminal.print(terminal.escape(step.text)) }
                terminal.print("\(steps.count) steps; nothing was touched.")
                if steps.isEmpty, let why = try reasonForNothing(file) {
                    terminal.print(terminal.escape(why))
                }
            }
        } catch  where error is RolloutError || error is WindowHold {
            throw Failure(error, plan: planName)
        }
    }

    /// Why a run that has not succeeded would do nothing, and what to do about it.
    private func reasonForNothing(_ file: PlanFile) throws -> String? {
        guard let catalog = try options.catalog(), let run = try catalog.latestRun(of: file.id) else { return nil }
        return try RunReport(catalog, bucket: options.folder, run.id)?.advice.map {
            "Run \(run.id) \(run.state.phrase). \($0)"
        }
    }

    private static func status(of result: StepMachine.Result) -> Exit? {
        switch result {
        case .succeeded: nil
        case .failed: .failed
        case .stale: .stale
        case .unknown: .decisionNeeded
        case .parked: .tryLater
        }
    }

    private func readPlan() throws -> [UInt8] {
        if let run = keptRun { return try readKept(run) }
        // Where plans are approved, what is executed lies where it seems to lie. A policy that cannot be read is
        // reported when the plan is known.
        let isStrict: Bool
        do { isStrict = try options.approval().policy() != nil } catch { isStrict = true }
        do throws(InputFile.Problem) {
            return try InputFile.read(plan, limit: PlanFile.maximumSize, followsLink: !isStrict)
        } catch {
            if isStrict, error.isLink {
                throw Failure(.notApproved, code: .symbolicLink, "\(plan) is a symbolic link. Name the plan itself.")
            }
            let advice = error.isMissing ? ". Make it: maand-plan deploy -o \(ShellText.copied(plan))" : ""
            throw Failure(.invalidInput, code: .fileUnreadable, "\(plan) cannot be read: \(error.message)\(advice)")
        }
    }
}

extension RunCommand {
    /// The plan of a run, as it was kept when the run began.
    private func readKept(_ id: RunID) throws -> [UInt8] {
        guard let run = try options.catalog()?.run(id) else { throw RolloutError.noSuchRun(id) }
        return try ContentStore(in: options.folder).read(run.plan, limit: PlanFile.maximumSize)
    }
}

/// `wave:N`, where N is a `deployment_seq`.
struct WaveLimit: ExpressibleByArgument {
    let sequence: Int

    init?(argument: String) {
        guard argument.hasPrefix("wave:"), let sequence = Int(argument.dropFirst(5)), sequence >= 0 else { return nil }
        self.sequence = sequence
    }
}
