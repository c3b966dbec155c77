import ArgumentParser
import Commands
import UseCases
import YAML

extension Failure {
    /// Finds the exit code of any error.
    init(of error: any Error) { self = Failure(error) ?? Failure(.failed, "\(error)") }

    /// An error that is about a plan.
    init(_ error: any Error, plan: String) {
        let failure = Failure(of: error)
        self.init(failure.status, code: failure.code, "\(plan): \(failure.message)", failure.note)
    }
}

/// Runs a command's body; prints an error for people and leaves with its exit code.
///
/// - Parameter isJSON: the command prints JSON: an error is also an object on standard output,
///   `{"error": {"code": ..., "message": ...}}`.
func reportingFailures(isJSON: Bool = false, _ body: () async throws -> Void) async throws {
    Signals.surviveClosedPipes()
    do {
        try await body()
    } catch let code as ExitCode {
        throw code
    } catch {
        let failure = Failure(of: error)
        let lines = "maand-apply: \(failure.message)".split(separator: "\n", omittingEmptySubsequences: false)
        printNotice(lines.map { VisibleText.escape(String($0), for: .terminal) }.joined(separator: "\n"))
        if let note = failure.note { printNotice("  \(VisibleText.escape(note, for: .terminal))") }
        // The sentence is on standard error already, if nobody reads this one.
        if isJSON { try? printResult(Array(failure.document.text.utf8)) }
        throw ExitCode(failure.status.rawValue)
    }
}
