internal import Catalog
internal import Model
internal import Workers

/// Why a step has not succeeded, or is not known to have: a code for programs, with its context. The sentence for people is
/// `description`.
enum StepFault: Sendable {
    /// What a step is done on.
    enum Place: Sendable {
        case worker
        case controlHost

        var text: String {
            switch self {
            case .worker: "the worker"
            case .controlHost: "this host"
            }
        }
    }

    /// Why an attempt never began and never will.
    enum Unbegun: Sendable {
        /// The controller has closed its id.
        case closed
        case refused(NotStarted)
    }

    case left
    case parked
    /// The plan does not say what the step is to do.
    case nothingPlanned
    case noContent
    case storedContent(StoreError)
    /// What was to be sent could not be read.
    case sentContent(TransportError)
    /// A secret of a file has another value than when the plan was made.
    case secretChanged(SecretName)
    /// The values of secrets cannot be read.
    case secretsUnreadable(any Error)
    case pushTimedOut(seconds: Int)
    case drift([DriftedPath], total: Int)
    case altered(String)
    case pushFailed(String)
    case busy(String)
    case receiptsReplaced
    case takenOver(Place, by: Owner?)
    case notReady(NotReady)
    case unreachable(any Error)
    case maybeRunning(TransportError)
    case stillRunning(Place)
    case notPrepared(any Error)
    case hooksNotReady
    case unbegun(Unbegun)
    case nothingToStop
    /// What was to be started is healthy.
    case runsAlready
    /// A condition has ended with this status: the worker need not be rebooted.
    case notNeeded(status: Int)
    /// The worker runs as the boot that it was.
    case notRebooted(seconds: Int)
    case notBack(seconds: Int, because: String)
    case exit(status: Int)
    case timedOut(Place, seconds: Int64)
    case hung(Place, seconds: Int64)
    case interrupted(Interruption, Place)
    case otherCommand
    /// The receipts of an attempt that may have begun were replaced.
    case unprovable(Place)
    case refused(Place, String)
    case unhealthy(String)
    case unproven(Doubt)
    case unasked(because: String)
}

extension StepFault {
    /// A stable name of the fault, as in `--events`. `docs/troubleshooting.md` lists them.
    enum Code: String, Sendable, CaseIterable {
        case leftToWorker = "left_to_worker"
        case parked
        case planIncomplete = "plan_incomplete"
        case contentUnusable = "content_unusable"
        case pushTimedOut = "push_timed_out"
        case drift
        case pushFailed = "push_failed"
        case busy
        case receiptsReplaced = "receipts_replaced"
        case takenOver = "taken_over"
        case workerUnreachable = "worker_unreachable"
        case workerUnusable = "worker_unusable"
        case workerRefused = "worker_refused"
        case maybeRunning = "maybe_running"
        case notPrepared = "not_prepared"
        case notBegun = "not_begun"
        case nothingToStop = "nothing_to_stop"
        case runsAlready = "runs_already"
        case notNeeded = "not_needed"
        case notRebooted = "not_rebooted"
        case notBack = "not_back"
        case exitStatus = "exit_status"
        case timedOut = "timed_out"
        case hung
        case rebooted
        case killed
        case attemptConflict = "attempt_conflict"
        case refused
        case secretChanged = "secret_changed"
        case unhealthy
        case notProven = "not_proven"
    }

    var code: Code {
        switch self {
        case .left: .leftToWorker
        case .parked: .parked
        case .nothingPlanned, .noContent: .planIncomplete
        case .storedContent, .sentContent, .secretsUnreadable: .contentUnusable
        case .secretChanged: .secretChanged
        case .pushTimedOut: .pushTimedOut
        case .drift, .altered: .drift
        case .pushFailed: .pushFailed
        case .busy: .busy
        case .receiptsReplaced, .unprovable: .receiptsReplaced
        case .takenOver: .takenOver
        case .notReady(let problem):
            switch problem.kind {
            case .unreachable: .workerUnreachable
            case .unusable: .workerUnusable
            case .refused: .workerRefused
            }
        case .unreachable: .workerUnreachable
        case .maybeRunning, .stillRunning: .maybeRunning
        case .notPrepared, .hooksNotReady: .notPrepared
        case .unbegun: .notBegun
        case .nothingToStop: .nothingToStop
        case .runsAlready: .runsAlready
        case .notNeeded: .notNeeded
        case .notRebooted: .notRebooted
        case .notBack: .notBack
        case .exit: .exitStatus
        case .timedOut: .timedOut
        case .hung: .hung
        case .interrupted(let interruption, _):
            switch interruption.cause {
            case .rebooted: .rebooted
            case .died: .killed
            }
        case .otherCommand: .attemptConflict
        case .refused: .refused
        case .unhealthy: .unhealthy
        case .unproven, .unasked: .notProven
        }
    }
}

extension StepFault: CustomStringConvertible {
    /// For people: what happened, and often what to do. Nil if the outcome says it all.
    var text: String? {
        if case .parked = self { nil } else { description }
    }

    var description: String {
        switch self {
        case .left: "left to its worker; the same command asks what became of it"
        case .parked: "the run parks"
        case .nothingPlanned: "the plan does not say what to run"
        case .noContent: "the plan names no content for it"
        case .storedContent(let error): error.description
        case .sentContent(let error): Self.unsendable(error)
        case .secretChanged(let name):
            "the secret \(name) has another value than when the plan was made, or none. Nothing was touched. Abandon the run "
                + "and plan again"
        case .secretsUnreadable(let error): "\(error)"
        case .pushTimedOut(let seconds):
            "timed out: not every file was in place within \(seconds) s. `timeouts.push` of the job's manifest.json sets this "
                + "limit, for the next plan; --retry-failed tries again with the same one"
        case .drift(let paths, let total): Self.text(paths, total: total)
        case .altered(let reason):
            "\(reason). Nothing was touched. Or abandon the run and plan again, once that is done"
        case .pushFailed(let reason): reason
        case .busy(let other): "another attempt is at work on the job there, or what it left: \(other)"
        case .receiptsReplaced: "the worker's receipts are not those that this run saw first"
        case .takenOver(let place, let owner):
            "\(place.text) was taken over\(owner.map { " by run \($0.sequence) of \($0.controller)" } ?? "")"
        case .notReady(let problem): problem.reason
        case .unreachable(let error): "\(error)"
        case .maybeRunning(let error): "\(error); it may be running: the same command asks again"
        case .stillRunning(let place): "\(place.text) still runs it"
        case .notPrepared(let error): "it was not begun: \(error)"
        case .hooksNotReady: "this process has made nothing ready for hooks"
        case .unbegun(.closed): "closed before it began"
        case .unbegun(.refused(let reason)): "it did not begin: \(Self.text(reason))"
        case .nothingToStop: "nothing of the job is there that could be stopped"
        case .runsAlready: "it runs already: its health check passes"
        case .notNeeded(let status): "not needed: the condition ended with exit status \(status)"
        case .notRebooted(let seconds):
            "it did not reboot: after \(seconds) s it still runs as the boot that it was. Its jobs are stopped. Reboot it, and run "
                + "the same command with --retry-failed; or abandon the run, and `maand-plan deploy` starts its jobs"
        case .notBack(let seconds, let reason):
            "it did not come back within \(seconds) s: \(reason). Once it is back, run the same command with --retry-failed"
        case .exit(let status): Self.text(exitStatus: status)
        case .timedOut(let place, let seconds): "ended on \(place.text), its limit of \(seconds) s was up"
        case .hung(let place, let seconds):
            "its limit of \(seconds) s was up long ago, and \(place.text) neither ended it nor says how it ended: what runs it "
                + "is stopped or hangs. Once that goes on or is killed, the same command asks again"
        case .interrupted(let interruption, let place): Self.text(interruption, place)
        case .otherCommand: "another command was run under the id of this attempt"
        case .unprovable(let place):
            "the receipts on \(place.text) are not those that this run saw first, so that they prove nothing"
        case .refused(let place, let reason): "\(place.text) refused: \(reason)"
        case .unhealthy(let problem): problem
        case .unproven(let doubt):
            "not promoted, since the worker does not prove that it is the one that acted: \(doubt.text). It may have been "
                + "emptied, reinstalled or restored from a snapshot since. The next plan acts there again"
        case .unasked(let reason):
            "not promoted, since its worker was not there to prove that it acted: \(reason)"
        }
    }

    private static func unsendable(_ error: TransportError) -> String {
        "\(error.message). What the plan pushes has to lie in the bucket's store/ as it was planned. Put store/ back from a "
            + "backup, or the workspace as it was, and run the same command with --retry-failed"
    }

    private static func text(_ paths: [DriftedPath], total: Int) -> String {
        "\(total) paths on the worker are not as the plan has them, nothing was touched: "
            + paths.prefix(StepRunner.namedPaths).map { "\($0.path) (\(StepRunner.text($0.actual)))" }
            .joined(separator: ", ") + ". Put them back, or abandon the run and plan again"
    }

    /// As the shell gives it: a program that a signal ended has 128 and the signal's number.
    private static func text(exitStatus: Int) -> String {
        "exit status \(exitStatus)" + (129...192 ~= exitStatus ? ", as of signal \(exitStatus - 128)" : "")
    }

    private static func text(_ reason: NotStarted) -> String {
        switch reason {
        case .tooLate: "the time for it was over"
        case .noJobDirectory: "the job's folder is not on the worker; abandon the run and plan again"
        case .generationChanged: "the worker's receipts were replaced meanwhile"
        case .runIsCleanedUp: "the run's receipts have been removed from the worker"
        case .other(let reason): reason
        }
    }

    private static func text(_ interruption: Interruption, _ place: Place) -> String {
        switch interruption.cause {
        case .rebooted: "\(place.text) was rebooted while it ran"
        case .died(let orphans):
            "what ran it was killed on \(place.text)"
                + (orphans.isEmpty ? "" : ", and processes of it still live: \(interruption.orphansText)")
        }
    }
}
