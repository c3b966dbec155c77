package import UseCases
package import YAML

/// Why a command ends: its exit code, what happened, and what to do now.
package struct Failure: CodedError {
    package let status: Exit
    package let code: ErrorCode
    /// May have several lines; not escaped.
    package let message: String
    /// What to do now, if the message does not say it; one line, not escaped.
    package let note: String?

    /// - Parameter code: nil for the general one of the exit code.
    package init(_ status: Exit, code: ErrorCode? = nil, _ message: String, _ note: String? = nil) {
        self.status = status
        self.code = code ?? status.code
        self.message = message
        self.note = note
    }

    /// Finds the exit code of an error of any of the modules; nil for errors of the argument parser and of the system.
    package init?(_ error: any Error) {
        if let failure = error as? Failure {
            self = failure
        } else if let status = Exit(of: error), let error = error as? any CodedError {
            self.init(status, code: error.code, error.description)
        } else {
            return nil
        }
    }

    package var description: String { [message, note].compactMap(\.self).joined(separator: "\n") }
}

/// A command that prints JSON if it is asked to; its errors are then also objects on standard output.
package protocol JSONCommand {
    var printsJSON: Bool { get }
}

extension CodedError {
    /// `{"error": {"code": ..., "message": ...}}`
    package var document: JSON {
        .object([("error", .object([("code", .string(code.rawValue)), ("message", .string(description))]))])
    }
}
