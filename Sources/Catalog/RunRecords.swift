public import Model

/// One execution of one plan, as recorded.
public struct Run: Equatable, Sendable {
    /// Its number in this bucket.
    public let id: RunID
    /// Random text chosen when the run began; part of every attempt's id on a worker.
    public let nonce: String
    /// SHA-256 of the plan file's bytes; the content store keeps the bytes under it.
    public let plan: Digest
    /// `running` also where the process was killed: only the bucket's lock says whether one is at work.
    public let state: RunState
    /// When the intent was recorded.
    public let startedAt: Timestamp
    /// Nil while the run is unfinished.
    public let endedAt: Timestamp?
    /// `user@host` of the user who started it.
    public let startedBy: String
    /// The catalog's revision just before the run began.
    public let baseRevision: Int
    /// Why it is in this state, for people.
    public let detail: String?
    /// The same for programs; nil if the state says all.
    public let cause: RunReason?
    /// The plan by which it goes back; nil as long as it does not.
    public let wayBack: Digest?

    public init(
        id: RunID, nonce: String, plan: Digest, state: RunState, startedAt: Timestamp, endedAt: Timestamp? = nil,
        startedBy: String, baseRevision: Int, detail: String? = nil, cause: RunReason? = nil, wayBack: Digest? = nil
    ) {
        self.cause = cause
        self.wayBack = wayBack
        self.id = id
        self.nonce = nonce
        self.plan = plan
        self.state = state
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.startedBy = startedBy
        self.baseRevision = baseRevision
        self.detail = detail
    }
}

/// One attempt of one step. A step without any is `pending`.
public struct StepRecord: Equatable, Sendable {
    /// The step's name in the plan.
    public let step: StepID
    /// 1, 2, 3 ... within the run.
    public let attempt: Int
    public let state: StepState
    /// Digest of everything that the step sends or starts.
    public let digest: Digest
    /// The name of this attempt on the worker.
    public let attemptID: String
    /// When the intent was recorded.
    public let startedAt: Timestamp
    /// When the outcome was recorded; nil while the attempt is `started`.
    public let finishedAt: Timestamp?
    /// Of the command on the worker; nil where there is none.
    public let exitStatus: Int?
    /// What to tell a person about the outcome.
    public let detail: String?
    /// Why it did not succeed, for programs; nil where the outcome says it all, and for attempts of earlier releases.
    public let code: String?

    /// Whether the row says that the step has to be done again after what had succeeded, and not that an attempt failed.
    public var isReopened: Bool { state == .failed && !attemptID.hasSuffix("-\(attempt)") }

    public init(
        step: StepID, attempt: Int, state: StepState, digest: Digest, attemptID: String, startedAt: Timestamp,
        finishedAt: Timestamp? = nil, exitStatus: Int? = nil, detail: String? = nil, code: String? = nil
    ) {
        self.step = step
        self.attempt = attempt
        self.state = state
        self.digest = digest
        self.attemptID = attemptID
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.exitStatus = exitStatus
        self.detail = detail
        self.code = code
    }
}

/// The end of what an attempt printed.
public struct StepOutput: Equatable, Sendable {
    /// Bytes of each stream that are kept: its tail, since that is where commands say why they failed.
    public static let limit = 64 * 1024

    /// The last bytes of standard output, at most `limit`.
    public let stdout: [UInt8]
    /// The last bytes of standard error, at most `limit`.
    public let stderr: [UInt8]
    /// Bytes that the attempt printed to standard output; nil if a release recorded it that did not count them.
    public let stdoutSize: Int?
    /// As `stdoutSize`, of standard error.
    public let stderrSize: Int?

    /// Keeps the last `limit` bytes of each stream.
    public init(stdout: [UInt8], stderr: [UInt8], stdoutSize: Int? = nil, stderrSize: Int? = nil) {
        self.stdout = stdout.suffix(Self.limit)
        self.stderr = stderr.suffix(Self.limit)
        self.stdoutSize = stdoutSize
        self.stderrSize = stderrSize
    }

    /// The same with other bytes, such as without secrets; the sizes stay.
    public func mapped(_ change: ([UInt8]) -> [UInt8]) -> StepOutput {
        StepOutput(stdout: change(stdout), stderr: change(stderr), stdoutSize: stdoutSize, stderrSize: stderrSize)
    }
}

/// What a person decided about a run, and why.
public struct Decision: Equatable, Sendable {
    /// What was decided. The raw values are recorded, and `history` shows them.
    public enum Kind: String, Sendable, CaseIterable {
        case abandon
        case adoption = "taken over from Maand"
        case overrideApproval = "override-approval"
        case pause
        case refresh = "catalog refresh"
        case resolveFailed = "resolve failed"
        case resolveSucceeded = "resolve succeeded"
        case retryFailed = "retry-failed"
        case takeOver = "take-over"
    }

    /// When it was recorded.
    public var at: Timestamp
    /// `user@host`.
    public var by: String
    public var run: RunID
    /// The step it is about; nil where it is about the whole run.
    public var step: StepID?
    public var what: Kind
    /// What the person gave as the reason.
    public var reason: String

    public init(at: Timestamp, by: String, run: RunID, step: StepID? = nil, what: Kind, reason: String) {
        self.at = at
        self.by = by
        self.run = run
        self.step = step
        self.what = what
        self.reason = reason
    }
}
