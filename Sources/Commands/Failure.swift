internal import Approvals
internal import Catalog
internal import YAML

/// Why a command ends: its exit code, what happened, and what to do now.
package struct Failure: Error, CustomStringConvertible {
    package let code: Exit
    /// May have several lines; not escaped.
    package let message: String
    /// What to do now, if the message does not say it; one line, not escaped.
    package let note: String?

    package var description: String { message }

    package init(_ code: Exit, _ message: String, _ note: String? = nil) {
        self.code = code
        self.message = message
        self.note = note
    }

    /// Finds the exit code of an error of the modules that both programs use; nil for other errors.
    package init?(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let failure as InputFailure: self.init(.invalidInput, failure.description)
        case let problem as ApprovalProblem: self.init(.notApproved, problem.description)
        case CatalogError.otherBucket: self.init(.invalidInput, "\(error)")
        case let error as CatalogError: self.init(.failed, error.description)
        case let error as StoreError: self.init(.failed, error.description)
        default: return nil
        }
    }
}
