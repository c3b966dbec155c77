import ArgumentParser
import Executor
import Glibc
import Review
import YAML

/// An exit code with a meaning of its own.
enum Exit: Int32 {
    /// `--detailed-exitcode`: the plan changes something. `diff`: the plans differ.
    case changes = 2
    /// `verify`: the workspace and the catalog give another plan.
    case stale = 3
    /// A run has to come to its end first.
    case unfinishedRun = 5
    case usage = 64
    case invalidInput = 65
    /// Something of this machine is in the way: a full disk, a missing permission.
    case failed = 1
    /// A worker could not be asked.
    case unreachable = 69
    /// Another process holds the bucket.
    case tryLater = 75
    /// Approvals are missing.
    case notApproved = 77
}

/// Why a command ends: what happened, and what to do now.
struct Failure: CodedError {
    let status: Exit
    let code: ErrorCode
    let message: String
    let note: String?

    /// - Parameter code: nil for the general one of the exit code.
    init(_ status: Exit, code: ErrorCode? = nil, _ message: String, _ note: String? = nil) {
        self.status = status
        self.code = code ?? status.code
        self.message = message
        self.note = note
    }

    var description: String { [message, note].compactMap(\.self).joined(separator: "\n") }
}

extension Exit {
    /// Of errors that have no code of their own.
    fileprivate var code: ErrorCode {
        switch self {
        case .changes, .failed: .failed
        case .stale: .stalePlan
        case .unfinishedRun: .unfinishedRun
        case .usage: .usage
        case .invalidInput: .invalidInput
        case .unreachable: .workerUnreachable
        case .tryLater: .tryLater
        case .notApproved: .notApproved
        }
    }
}

/// A command that prints JSON if it is asked to; its errors are then also objects on standard output.
protocol JSONCommand {
    var printsJSON: Bool { get }
}

extension CodedError {
    /// `{"error": {"code": ..., "message": ...}}`
    var document: JSON {
        .object([("error", .object([("code", .string(code.rawValue)), ("message", .string(description))]))])
    }
}

/// Text for people, on standard error.
func printNotice(_ text: String) {
    // Nobody is left to tell when standard error is closed.
    try? HostFiles.writeAll(Array((text + "\n").utf8), to: STDERR_FILENO)
}

/// What a command was asked for, on standard output.
func printResult(_ bytes: [UInt8]) throws {
    do throws(HostFiles.Problem) {
        try HostFiles.writeAll(bytes, to: STDOUT_FILENO)
    } catch {
        throw Failure(.failed, code: .fileNotWritten, "standard output cannot be written: \(error.message)")
    }
}
