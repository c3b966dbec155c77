public import Model
internal import Windows

/// Something that a person should know of a run, and that stops nothing: a code for programs, with its context. The sentence is
/// `description`.
public enum RunWarning: Sendable {
    /// About the connections to workers.
    case connection(String)
    /// What a hook asked for, or could not get.
    case hook(String)
    /// The order that a hook has put is not used.
    case orderNotUsed(StepID, String)
    case failuresTolerated(JobName, count: Int, limit: Int)
    case givenUp(WorkerName, String)
    case workerSilent(WorkerName, String)
    /// Seconds; negative if the worker's clock is behind this host's.
    case clockSkew(WorkerName, ahead: Int)
    /// What the worker says of an attempt.
    case attempt(StepID, String)
    /// A step ended after the cutoff of the window, by this many seconds.
    case lateEnd(StepID, seconds: Int64, cutoff: Timestamp)
    /// The wall clock of this host was set, by this many seconds.
    case clockSet(seconds: Int64)
    case suspended(seconds: Int64)
    /// What would keep the run from going forth, and does not keep it from going back.
    case goesBackAnyway(String)
    /// A job has failed, and the run goes back: so many allocations.
    case goesBack(RunID, allocations: Int)
}

extension RunWarning {
    /// A stable name of the warning, as in `--events`. `docs/troubleshooting.md` lists them.
    public enum Code: String, Sendable, CaseIterable {
        case connection
        case hook
        case orderNotUsed = "order_not_used"
        case failuresTolerated = "failures_tolerated"
        case workerGivenUp = "worker_given_up"
        case workerSilent = "worker_silent"
        case clockSkew = "clock_skew"
        case attempt
        case lateEnd = "late_end"
        case clockSet = "clock_set"
        case suspended
        case goesBackAnyway = "goes_back_anyway"
        case goesBack = "goes_back"
    }

    public var code: Code {
        switch self {
        case .connection: .connection
        case .hook: .hook
        case .orderNotUsed: .orderNotUsed
        case .failuresTolerated: .failuresTolerated
        case .givenUp: .workerGivenUp
        case .workerSilent: .workerSilent
        case .clockSkew: .clockSkew
        case .attempt: .attempt
        case .lateEnd: .lateEnd
        case .clockSet: .clockSet
        case .suspended: .suspended
        case .goesBackAnyway: .goesBackAnyway
        case .goesBack: .goesBack
        }
    }
}

extension RunWarning: CustomStringConvertible {
    /// For people.
    public var description: String {
        switch self {
        case .connection(let text), .hook(let text): text
        case .orderNotUsed(let step, let text), .attempt(let step, let text): "\(step): \(text)"
        case .failuresTolerated(let job, let count, let limit):
            "\(job): \(count) of its allocations failed, and it goes on up to \(limit) (max_failures)"
        case .givenUp(let worker, let text): "\(worker): \(text)"
        case .workerSilent(let worker, let reason): "\(worker): \(reason). It is asked again when its turn comes"
        case .clockSkew(let worker, let ahead):
            "\(worker): its clock is \(abs(ahead)) s \(ahead > 0 ? "ahead of" : "behind") this host's"
        case .lateEnd(let step, let seconds, let cutoff):
            "\(step) ended \(seconds) s after the cutoff (\(cutoff.utcText)): it took longer than was expected"
        case .clockSet(let seconds):
            "the wall clock was set \(seconds > 0 ? "forward" : "back") by \(abs(seconds)) s while this runs; "
                + "from now on batches have to fit the window by the old and by the new time"
        case .suspended(let seconds): "this machine was suspended for \(seconds) s"
        case .goesBackAnyway(let reason): "the way back goes on in spite of this: \(reason)"
        case .goesBack(let run, let count):
            "run \(run) has failed and goes back: \(count) \(count == 1 ? "allocation" : "allocations")"
        }
    }
}
