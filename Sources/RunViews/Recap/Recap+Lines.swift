internal import Catalog
internal import Model
internal import Plans
public import StepMachinery

extension Recap {
    /// Causes that are shown one by one.
    static let shownCauses = 20

    /// A line for each job, then one for each step on which something went wrong. Texts of workers are not escaped.
    public func lines() -> [String] { jobLines() + causeLines() }

    /// Jobs that are shown one by one.
    public static let shownJobs = 40

    /// A line for each job: its name, its state, and what became of its allocations and gates. Of many jobs those that are
    /// done are counted.
    ///
    /// - Parameter limit: jobs that are shown one by one.
    public func jobLines(limit: Int = Self.shownJobs) -> [String] {
        var shown = jobs.filter { !$0.isWayBack || run.state != .rolledBack }
        var rest = ""
        if shown.count > limit {
            let all = shown.count
            let other = shown.filter { $0.state != .succeeded }
            shown = Array((other + shown.filter { $0.state == .succeeded }).prefix(limit))
            let hidden = max(0, other.count - limit)
            rest = "  and \(all - shown.count) more jobs" + (hidden == 0 ? ", done" : ", \(hidden) of them not done")
        }
        let names = shown.map { $0.isWayBack ? "way back of \($0.name)" : $0.name }
        let states = shown.map(word)
        let (nameWidth, stateWidth) = (names.map(\.count).max() ?? 0, states.map(\.count).max() ?? 0)
        let lines = zip(shown, zip(names, states)).map { job, texts in
            let head = "  \(texts.0.padded(nameWidth))  \(texts.1.padded(stateWidth))  \(job.phrase)"
            return job.blockedBy.isEmpty ? head : "\(head) (by \(job.blockedBy.joined(separator: ", ")))"
        }
        return rest.isEmpty ? lines : lines + [rest]
    }

    /// What became of each allocation and worker, with the cause if something went wrong. Texts of workers are not escaped.
    public func memberLines() -> [String] {
        let causes = Dictionary(causes.lazy.map { ($0.step.subject, $0) }) { first, _ in first }
        return jobs.flatMap { job in
            job.members.map { member in
                let way = job.isWayBack ? "way back of " : ""
                let cause = causes[member.subject].map { ": \($0)" } ?? ""
                return
                    "    \(way)\(member.subject)  \(member.standing.phrase(deed: job.isWayBack ? "back" : job.deed))\(cause)"
            }
        }
    }

    /// Steps that keep the run from its end, each with its worker and the first line of its cause.
    public func causeLines() -> [String] {
        var lines = causes.prefix(Self.shownCauses).map { "  \($0)" }
        let rest = causes.count - lines.count
        if rest > 0 { lines.append("  and \(rest) more: `maand-apply status \(run.id) --workers`") }
        return lines
    }

    /// One word.
    private func word(_ job: Job) -> String {
        if job.isWayBack || job.count(.takenBack) == 0 || run.state != .rolledBack { return job.state.word }
        return "rolled back"
    }
}

extension Recap.Job {
    /// What became of its allocations and gates: `6 promoted, 1 failed, 2 of 3 gates passed`.
    public var phrase: String {
        var parts = Standing.shown.compactMap { standing -> String? in
            let count = count(standing)
            return count == 0 ? nil : "\(count) \(standing.phrase(deed: isWayBack ? "back" : deed))"
        }
        if gates.failed > 0 {
            parts.append(gates.all == 1 ? "the gate failed" : "\(gates.failed) of \(gates.all) gates failed")
        } else if gates.all == 1 {
            parts.append(gates.passed == 1 ? "gate passed" : "gate not asked")
        } else if gates.all > 1 {
            parts.append("\(gates.passed) of \(gates.all) gates passed")
        }
        return parts.joined(separator: ", ")
    }
}

extension StepMachine.UnitState {
    /// For people and for programs.
    public var word: String {
        switch self {
        case .waiting: "waiting"
        case .running: "begun"
        case .succeeded: "done"
        case .failed: "failed"
        case .unknown: "unknown"
        case .blocked: "blocked"
        }
    }
}

extension Recap.Cause: CustomStringConvertible {
    public var description: String { "\(step.id) \(state.phrase)" + (text.isEmpty ? "" : ": \(text)") }
}

extension String {
    /// With spaces up to this number of characters.
    func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
