extension AttemptReport {
    /// What is said of something that looked; nil if it succeeded.
    ///
    /// - Parameters:
    ///   - what: the subject of the sentence.
    ///   - timeout: its limit, in seconds.
    package func problem(of what: String, timeout: Int) -> String? {
        guard case .finished(let result) = self else { return "\(what) did not run: \(reason)" }
        if result.isSuccess { return nil }
        let output = String(decoding: result.errorOutput.bytes + result.output.bytes, as: UTF8.self)
        let lastLine = output.split(whereSeparator: \.isNewline).last.map { ": " + $0.prefix(200) } ?? ""
        return (result.timedOut ? "\(what) took longer than \(timeout) s" : "\(what) exited \(result.exitStatus)")
            + lastLine
    }

    private var reason: String {
        switch self {
        case .finished(let result): "exit status \(result.exitStatus)"
        case .notOwner(let owner):
            "the worker belongs to " + (owner.map { "run \($0.sequence) of \($0.controller)" } ?? "nobody")
        case .busy(let other): "\(other) is in the way"
        case .generationChanged: "its receipts were replaced"
        case .refused(let reason): "refused, \(reason)"
        case .running, .absent, .fenced, .notStarted, .interrupted, .conflict: "it did not come to its end"
        }
    }
}
