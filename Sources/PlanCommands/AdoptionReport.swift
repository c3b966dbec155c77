import Commands
import MaandBucket
import Model
import Planner
import Plans
import Review
import UseCases
import YAML

/// What an adoption says at its end.
struct AdoptionReport {
    let records: MaandRecords
    let findings: AdoptedBucket.Findings
    let isDryRun: Bool

    /// The table of what was taken over, and what was not and why.
    var text: String {
        var lines = table
        if findings.adoption.known > 0 {
            lines += "\(findings.adoption.known) allocations were recorded before, and stay as they are.\n"
        }
        for (what, taken, left) in findings.values {
            lines += "\(what): \(taken) taken over\n"
            for text in left { lines += "  not taken over: \(VisibleText.escape(text, for: .terminal))\n" }
        }
        if records.isLost {
            lines +=
                "\(MaandDatabase.file) is lost, and with it all ports, variables, secrets and certificates: new ports are assigned\n"
        }
        lines += "ports: \(records.ports.values.reduce(0) { $0 + $1.count }), as Maand assigned them\n"
        if findings.adoption.unkept > 0 {
            lines +=
                "files: \(findings.adoption.unkept) were not copied from the workers, because they are too large or have changed; "
                + "a rollout that replaces them has no way back\n"
        }
        if !findings.prepared.isEmpty {
            lines += "post_build: counts as run for \(findings.prepared.map(\.text).joined(separator: ", "))\n"
        }
        for name in records.strangeNames {
            lines += "not taken over: \(VisibleText.quote(name)) cannot be the name of a job or worker here\n"
        }
        for (allocation, failure) in findings.failures.sorted(by: { $0.key < $1.key }) {
            let reason = "\(failure)".split(separator: "\n").first.map(String.init) ?? ""
            lines += "\(allocation): \(VisibleText.escape(reason, for: .terminal))\n"
        }
        return lines
    }

    private var table: String {
        let outcomes = findings.adoption.outcomes
        if outcomes.isEmpty { return "" }
        var table = TextTable(["job", "worker", isDryRun ? "would be" : "recorded", "version", "why"])
        for outcome in outcomes {
            let taking = outcome.taking
            let reason = taking.standing.reason ?? taking.reason
            table.add([
                outcome.allocation.job.text, outcome.allocation.worker.text, taking.standing.word,
                taking.standing == Taking.Standing.begun ? taking.targetVersion : taking.version,
                outcome.isAgain ? "Maand has deployed it since: \(reason)" : reason,
            ])
        }
        return table.text
    }

    /// What Maand and these programs have both deployed since it was taken over, and what to do; nil if there is nothing.
    var dispute: String? {
        let disputed = findings.adoption.disputed
        if disputed.isEmpty { return nil }
        let names = disputed.map { "\($0.job) on \($0.worker)" }
        let jobs = Set(disputed.map(\.job)).sorted().map(\.text).joined(separator: ",")
        return
            "Maand has deployed since, and these programs, too: \(names.joined(separator: ", ")). What is recorded here stays, and "
            + "may be wrong. Let only one of the two deploy from now on. `maand-plan deploy --force --jobs \(jobs) -o plan.yaml` "
            + "brings the workspace's files there and restarts; compare the workspace first with what Maand has deployed."
    }
}

extension Taking.Standing {
    fileprivate var word: String {
        switch self {
        case .promoted: "promoted"
        case .stopped: "stopped"
        case .unfinished, .begun: "unfinished"
        case .nothing: "-"
        }
    }

    /// Why nothing is taken over; nil if something is.
    fileprivate var reason: String? {
        if case .nothing(let reason) = self { reason } else { nil }
    }
}
