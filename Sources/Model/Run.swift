/// One execution of one plan, as people name it: 1, 2, 3 ... within a bucket.
public struct RunID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Counts from 1 in each bucket.
    public let number: Int

    public init(_ number: Int) { self.number = number }

    public var description: String { String(number) }

    public static func < (a: Self, b: Self) -> Bool { a.number < b.number }
}

/// Where a run stands.
public enum RunState: String, Sendable, CaseIterable {
    /// Being executed, or interrupted in the middle: the same command continues.
    case running
    /// Stopped in good order before its end: the same command continues.
    case parked
    /// Something failed, is unknown, or went stale: a person retries, settles or abandons.
    case failed
    case succeeded
    case abandoned
    /// Something failed, and what the run had begun is again as it was before.
    case rolledBack = "rolled_back"

    /// Whether the bucket is locked by this run, so that no other plan may start.
    public var isUnfinished: Bool {
        switch self {
        case .running, .parked, .failed: true
        case .succeeded, .abandoned, .rolledBack: false
        }
    }
}

/// The stable name of a step within its plan, such as `api/upgrade/2/10.0.0.1/restart`.
///
/// It is derived from the plan alone, so every process that reads the plan names its steps alike.
public struct StepID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Parts that are joined by `/`.
    public let text: String

    public init(_ text: String) { self.text = text }

    public var description: String { text }

    public static func < (a: Self, b: Self) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }

    private static let preflightPrefix = "@preflight/"

    /// Under this id a run records what the receipts folder of a host was before any step began: a worker, or the controller.
    public static func preflight(_ host: some CustomStringConvertible) -> StepID { StepID("\(preflightPrefix)\(host)") }

    /// Whether it is an id of `preflight`, and so of no step of the plan.
    public var isPreflight: Bool { text.hasPrefix(Self.preflightPrefix) }
}

/// Where an attempt of a step stands. The intent is recorded before anything is contacted, the outcome after. A step without any row is `pending`.
public enum StepState: String, Sendable, CaseIterable {
    case pending
    /// The intent is recorded; the worker may or may not have been asked.
    case started
    /// Never repeated.
    case succeeded
    case failed
    /// The worker could not be reached, and the attempt is known not to have begun there.
    case unreachable
    /// The outcome is unknown: neither success nor failure.
    case unknown
    /// A person or the plan's own rule left it out.
    case skipped
    /// It never ran because something that it depends on failed.
    case blocked
}

/// Milliseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Hashable, Sendable, Comparable {
    /// Since 1970-01-01T00:00:00Z, without leap seconds.
    public let milliseconds: Int64

    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    public static func < (a: Self, b: Self) -> Bool { a.milliseconds < b.milliseconds }
}
