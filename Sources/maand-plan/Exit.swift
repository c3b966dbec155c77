import ArgumentParser
import Glibc
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
struct Failure: Error {
    let code: Exit
    let message: String
    let note: String?

    init(_ code: Exit, _ message: String, _ note: String? = nil) {
        self.code = code
        self.message = message
        self.note = note
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
        throw Failure(.failed, "standard output cannot be written: \(error.message)")
    }
}
