public import Catalog
public import Executor
public import Model
public import Plans
internal import Windows

/// Why a plan is not executed, or not further. Nothing was touched on any worker.
public enum RolloutError: Error, Sendable {
    case otherBucket(planned: String, actual: String)
    case otherTransport(planned: TransportKind, actual: TransportKind)
    case otherWorkerRoot(planned: String, actual: String)
    /// Another plan's run holds the bucket.
    case unfinishedRun(Run)
    case abandoned(Run)
    /// Its run has failed and was rolled back, so that there is nothing to try again.
    case rolledBack(Run)
    /// The plan is the way back of this run, and no plan of its own.
    case partOfRun(RunID)
    case stale([StaleFact])
    /// The catalog does not know these workers as the plan does by now.
    case knownOtherwise([Plan.Rename])
    /// Workers got other names since the plan was made.
    case renamedSince
    /// At the addresses of these workers are other machines than those that the plan takes them for.
    case otherMachines([Plan.Rename])
    /// Objects that the plan needs and the store lacks or holds altered.
    case content([String])
    /// What the plan says otherwise than the files that it binds, as sentences.
    case contradictory([String])
    /// Files with secrets cannot be made, as sentences.
    case noValue([String])
    /// Certificates that are not valid any more, as sentences.
    case certificatesEnded([String])
    /// Hooks cannot run here: whole sentences.
    case hooks(String)
    /// Hooks of an earlier process live and ask at a port of this host that somebody else has; the last are their steps.
    case hookPort(RunID, Int, [StepID])
    /// What the workers lack, each beginning with the worker's name.
    ///
    /// - Parameters:
    ///   - run: the run that has begun and stays unfinished; nil where nothing has begun.
    ///   - excess: jobs of which more workers cannot be used than `max_unreachable` allows, as sentences.
    case preflight(_ run: RunID?, [String], excess: [String] = [])
    /// The plan's zone is unknown here, or its rules are not those that the plan was made with.
    case zone(String)
    /// The plan had to begin before this instant.
    case tooLate(Timestamp)
    /// The plan had to begin before this instant, and its window opens then or later.
    case opensTooLate(String, Timestamp)
    /// The plan's window does not open any more.
    case windowIsOver(String, mixed: [String])
    /// The bucket's freezes cannot be read.
    case freezes(String)
    /// No opening of the window is long enough for a batch.
    case neverFits(batch: String, seconds: Int, isRecorded: Bool)
    /// What is missing or in the way of an approval; `mixed` names the jobs of which some hosts run the new version.
    case notApproved(String, mixed: [String])
    /// Makefiles on workers that have no such target.
    case missingTarget(String, [AllocationID])
    /// Nothing of these jobs runs anywhere.
    case notDeployed([JobName])
    case noSuchRun(RunID)
    case notUnfinished(Run)
    /// The last are the steps that a person may settle.
    case noSuchStep(RunID, StepID, unknown: [StepID])
    /// A step cannot be settled by a person, since it is not `unknown`.
    case notUnknown(RunID, StepID, StepState)
}

extension RolloutError {
    init(_ workers: UnfitWorkers) {
        self =
            switch workers {
            case .notReady(let run, let faults, let excess): .preflight(run, faults, excess: excess)
            case .otherMachines(let renames): .otherMachines(renames)
            }
    }
}

extension RolloutError: CodedError {
    public var code: ErrorCode {
        switch self {
        case .otherBucket: .otherBucket
        case .otherTransport: .otherTransport
        case .otherWorkerRoot: .otherWorkerRoot
        case .unfinishedRun: .unfinishedRun
        case .abandoned: .runAbandoned
        case .rolledBack: .runRolledBack
        case .partOfRun: .partOfRun
        case .stale: .stalePlan
        case .knownOtherwise: .renamesOutdated
        case .renamedSince: .workersRenamed
        case .otherMachines: .otherMachines
        case .content: .contentMissing
        case .contradictory: .planContradictsFiles
        case .noValue: .secretNotGiven
        case .certificatesEnded: .certificateEnded
        case .hooks: .hooksUnavailable
        case .hookPort: .hookPortTaken
        case .preflight: .workersNotReady
        case .zone: .timeZone
        case .tooLate: .startBeforePassed
        case .opensTooLate: .opensAfterStartBefore
        case .windowIsOver: .windowOver
        case .freezes: .freezesUnreadable
        case .neverFits: .batchNeverFits
        case .notApproved: .notApproved
        case .missingTarget: .missingTarget
        case .notDeployed: .notDeployed
        case .noSuchRun: .noSuchRun
        case .notUnfinished: .runEnded
        case .noSuchStep: .noSuchStep
        case .notUnknown: .stepNotUnknown
        }
    }

    /// For the terminal: what happened, and what to do now.
    public var description: String {
        switch self {
        case .otherBucket(let planned, let actual):
            "the plan is for the bucket \(planned), and this is \(actual). Name the right one with `--bucket`."
        case .otherTransport(let planned, let actual):
            "the plan reaches its workers by \(planned.rawValue), and `maand.conf` says \(actual.rawValue). Plan again."
        case .otherWorkerRoot(let planned, let actual):
            "the plan has its files on the workers below \(planned), and `worker_root` in `maand.conf` is \(actual). Put that back "
                + "for this plan, or plan again."
        case .unfinishedRun(let run): Self.unfinished(run)
        case .abandoned(let run):
            "run \(run.id) of this plan was abandoned. Plan again: the next plan deploys again what it began."
        case .rolledBack(let run):
            "run \(run.id) of this plan failed and was rolled back, so nothing of it is tried again. Change the workspace and plan "
                + "again."
        case .partOfRun(let run):
            "the plan is the way back of run \(run), which goes back by its own plan: maand-apply run:\(run). Nothing was touched. "
                + "To take a run back that is over, plan it: maand-plan rollback \(run)"
        case .stale, .knownOtherwise, .renamedSince: Self.stale(self)
        case .otherMachines(let renames):
            Self.list("nothing was stopped, started or renamed:", renames.map(Self.stranger))
        case .content(let problems): Self.list(Self.missing, problems)
        case .contradictory(let problems): Self.list(Self.contradiction, problems)
        case .noValue(let problems):
            Self.list("files with secrets cannot be made:", problems)
        case .certificatesEnded(let problems):
            Self.list(
                "certificates are over; nothing was touched. Renew them (maand-plan certs renew) and plan again:",
                problems)
        case .hooks(let problem): "hooks cannot run here: \(problem) Nothing was touched."
        case .hookPort(let run, let port, let steps): Self.taken(port, run, steps)
        case .preflight(let run, let faults, let excess): Self.notReady(run, faults, excess)
        case .zone(let problem): "\(problem)."
        case .tooLate(let limit):
            "the plan had to begin before \(limit.utcText) (`start_before`), and nothing was touched. Plan again."
        case .opensTooLate(let opening, let limit):
            "the plan has to begin before \(limit.utcText) (`start_before`), and its next opening comes later: \(opening). "
                + "Nothing was touched. Plan again with a later --start-before or another --window."
        case .windowIsOver(let problem, let mixed): Self.over(problem, mixed)
        case .freezes(let problem):
            "what is frozen cannot be found out, and nothing was touched. Mend the file, or take it away: \(problem)"
        case .neverFits(let batch, let seconds, let isRecorded): Self.tooLong(batch, seconds, isRecorded)
        case .notApproved(let problem, let mixed):
            (["not approved, nothing was touched. \(problem)"] + mixed.map { "  " + $0 }).joined(separator: "\n")
        case .missingTarget(let target, let allocations):
            Self.list(
                "the Makefile has no target `\(target)`, and nothing was begun. Add it and deploy, or name another one:",
                allocations.map(\.description))
        case .notDeployed(let jobs):
            "nothing of \(jobs.map(\.text).joined(separator: ", ")) is deployed. `maand-plan catalog jobs` lists what is."
        case .noSuchRun(let run): "there is no run \(run). `maand-apply history` lists them."
        case .notUnfinished(let run): "run \(run.id) \(run.state.phrase) already."
        case .notUnknown(let run, let step, let state):
            "run \(run), step \(step): it \(state.phrase), and only an unknown step can be resolved."
        case .noSuchStep(let run, let step, let unknown):
            "run \(run) has no step \(step). "
                + (unknown.isEmpty
                    ? "Nothing of it is unknown." : "Unknown is: \(unknown.map(\.text).joined(separator: ", ")).")
        }
    }
}

/// The longer sentences.
extension RolloutError {
    private static let missing =
        "content that the plan needs is missing or altered, nothing was touched. Plan again where the workspace is:"
    private static let contradiction =
        "the plan contradicts the files that it brings, so maand-plan did not write it so. Nothing was touched. Plan again:"

    private static func unfinished(_ run: Run) -> String {
        """
        run \(run.id), of the plan \(run.plan), \(run.state.phrase) and holds the bucket. Bring it to its end \
        with its own plan file, or give it up: maand-apply abandon \(run.id) --reason '...'
        """
    }

    private static func stale(_ error: RolloutError) -> String {
        let head = "the plan is stale, nothing was touched"
        return switch error {
        case .stale(let facts):
            list("\(head). Plan again, or restore the expected state:", facts.map(\.description))
        case .knownOtherwise(let renames):
            list(
                "\(head). Plan again: the catalog does not have these workers any more as the plan renames them:",
                renames.map(\.description))
        case _: "\(head): workers got other names since it was made. Plan again"
        }
    }

    private static func taken(_ port: Int, _ run: RunID, _ steps: [StepID]) -> String {
        if steps.isEmpty {
            return
                "port \(port) of 127.0.0.1, which `hook_api_port` of maand.conf names, is not to be had, and nothing new was "
                + "begun. `ss -ltnp 'sport = :\(port)'` names the program that listens there: end it, or let maand.conf name "
                + "another port, and run the same command again."
        }
        return "another program listens on port \(port) of 127.0.0.1, where hooks of run \(run) that live on ask: "
            + steps.map(\.text).listed(first: 5)
            + ". Nothing new was begun. `ss -ltnp 'sport = :\(port)'` names that program: end it, or wait until these hooks have ended, and run the same command again."
    }

    private static func notReady(_ run: RunID?, _ faults: [String], _ excess: [String]) -> String {
        if let run {
            return list(
                "workers are not ready, and nothing new was begun. Run the same command when they are, or give it up "
                    + "(maand-apply abandon \(run) --reason '...'):", faults)
        }
        var lists = [
            list("workers are not ready, and nothing was begun. Run the same command when they are:", faults)
        ]
        if !excess.isEmpty {
            lists.append(
                list(
                    "To go on without them, set `rollout.max_unreachable` in the manifest or plan again with "
                        + "--max-unreachable:", excess))
        }
        return lists.joined(separator: "\n")
    }

    private static func over(_ problem: String, _ mixed: [String]) -> String {
        ([
            "\(problem), and the plan's window does not open any more. Nothing was touched. Abandon what is "
                + "unfinished of it, and plan again with another --window."
        ] + mixed.map { "  " + $0 }).joined(separator: "\n")
    }

    private static func tooLong(_ batch: String, _ seconds: Int, _ isRecorded: Bool) -> String {
        let basis =
            isRecorded
            ? "as such steps took before" : "by its timeouts, since nothing is recorded of such steps"
        return
            "\(batch) is expected to take \(seconds) s, gate and bake included (\(basis)), and no opening of the window is so "
            + "long. Plan again with a longer window or shorter timeouts."
    }

    private static func stranger(_ rename: Plan.Rename) -> String {
        "\(rename): another machine has this address. \(rename.to) does not show the receipts that \(rename.from) had. "
            + "Where the machine of \(rename.from) has another address now, correct the addresses in workers.json and plan "
            + "again. Where it was reinstalled, or put back from a copy: take \(rename.to) out of workers.json, plan and "
            + "apply, which gives up what is recorded of \(rename.from); then put it in again"
    }

    private static func list(_ head: String, _ items: [String]) -> String {
        let shown = 20
        var lines = [head] + items.prefix(shown).map { "  " + $0 }
        if items.count > shown { lines.append("  and \(items.count - shown) more") }
        return lines.joined(separator: "\n")
    }
}
