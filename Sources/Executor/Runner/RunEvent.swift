internal import Glibc
public import Model

/// What happens during a run, for a terminal or a log; nothing depends on it.
public enum RunEvent: Sendable {
    case stepStarted(Step, attempt: Int)
    /// An earlier process recorded the intent; the worker is asked what became of it.
    case stepResumed(Step, attempt: Int)
    case stepEnded(Step, outcome: StepMachine.Outcome, detail: String?, milliseconds: Int64)
    case promoted([AllocationID], version: String)
    /// A gate has not passed yet and is probed again.
    case gateWaiting(Step, tries: Int, of: Int, problem: String)
    /// A batch is left alone for this many seconds before the rollout goes on.
    case baking(Step, seconds: Int)
    case parking(reason: String)
    /// The batch begins: so long it is expected to take, by records of such steps or else by their timeouts.
    case admitted(batch: String, seconds: Int, isRecorded: Bool, end: Timestamp, cutoff: Timestamp)
    /// Neither this batch nor, where it is nil, anything else begins in the present opening of the window.
    case held(batch: String?, reason: String)
    case warning(String)
}

/// Milliseconds since the machine was booted: all of them, and those in which it was not suspended.
public struct Uptime: Equatable, Sendable {
    public var total: Int64
    public var awake: Int64

    public init(total: Int64, awake: Int64) {
        self.total = total
        self.awake = awake
    }

    /// Of this machine.
    public static var now: Uptime {
        func read(_ clock: clockid_t) -> Int64 {
            var time = timespec()
            clock_gettime(clock, &time)
            return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
        }
        return Uptime(total: read(CLOCK_BOOTTIME), awake: read(CLOCK_MONOTONIC))
    }
}

/// Wall-clock time as a parameter.
public struct Clock: Sendable {
    public let now: @Sendable () -> Timestamp
    public let sleep: @Sendable (_ duration: Duration) async throws -> Void
    /// Nobody can set it; it shows where the wall clock was set and when the machine slept.
    public let uptime: @Sendable () -> Uptime

    public init(
        now: @escaping @Sendable () -> Timestamp,
        sleep: @escaping @Sendable (_ duration: Duration) async throws -> Void,
        uptime: @escaping @Sendable () -> Uptime = { .now }
    ) {
        self.now = now
        self.sleep = sleep
        self.uptime = uptime
    }
}
