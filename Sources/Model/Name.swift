/// A name that a person gave to a job, a worker, a hook or a port.
///
/// Names become parts of paths on workers and of step ids, so they are limited to `[A-Za-z0-9._:-]+`, at most 128
/// bytes, and may be neither `.` nor `..` nor begin with `-` (which a command would read as an option).
/// `Kind` is a phantom type: it keeps the name of a job from being used as that of a worker.
public struct Name<Kind>: Hashable, Sendable, CustomStringConvertible {
    /// The name as it was written.
    public let text: String

    /// The name, or nil where `text` is not one.
    public init?(_ text: String) {
        guard text.utf8.count <= 128, !text.isEmpty, text != ".", text != "..", text.utf8.first != UInt8(ascii: "-"),
            text.utf8.allSatisfy(Self.allowed)
        else { return nil }
        self.text = text
    }

    public var description: String { text }

    private static func allowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"),
            UInt8(ascii: "-"):
            true
        default:
            false
        }
    }
}

extension Name: Comparable {
    /// Byte order, so that sorting does not depend on a locale.
    public static func < (a: Self, b: Self) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }
}

/// Keeps names of jobs apart from those of workers.
public enum JobNameKind: Sendable {}
/// Keeps names of workers apart from those of jobs.
public enum WorkerNameKind: Sendable {}

/// The name of a job: the folder `workspace/jobs/<job>/`.
public typealias JobName = Name<JobNameKind>

/// The name of a worker: its `host` in `workers.json`.
public typealias WorkerName = Name<WorkerNameKind>

/// One job on one worker.
public struct AllocationID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let job: JobName
    public let worker: WorkerName

    public init(job: JobName, worker: WorkerName) {
        self.job = job
        self.worker = worker
    }

    public var description: String { "\(job) on \(worker)" }

    public static func < (a: Self, b: Self) -> Bool { a.job == b.job ? a.worker < b.worker : a.job < b.job }
}
