import Catalog
import Commands
import Foundation
import Model
import Plans
import Review
import StepMachinery

/// What the steps of a run printed on their workers: equal outputs once, with the workers that printed them.
struct OutputGroups {
    /// In the order of the plan.
    private(set) var groups: [OutputBlock] = []

    private struct Key: Hashable {
        var what: String
        var state: StepState
        var exitStatus: Int?
        var digest: Digest
    }

    /// Groups that are shown after a run; the others are counted.
    private static let shownGroups = 50

    /// - Parameters:
    ///   - filter: of a single step, all attempts are taken.
    ///   - isEverything: also steps that printed nothing.
    /// - Throws: `CatalogError`.
    init(
        _ graphs: [StepGraph], _ catalog: Catalog, of run: Run, _ filter: OutputFilter = .all, isEverything: Bool
    ) throws {
        let records = Dictionary(try catalog.steps(of: run.id).map { ($0.step, $0) }) { _, last in last }
        var places: [Key: Int] = [:]
        for graph in graphs {
            for step in graph.steps where filter.includes(step) {
                guard let worker = step.worker, let latest = records[step.id], step.task.prints else { continue }
                let attempts = filter.step == nil ? [latest] : try catalog.attempts(of: run.id, step: step.id)
                for record in attempts {
                    let output =
                        try catalog.output(
                            of: run.id, step: step.id, attempt: filter.step == nil ? nil : record.attempt)
                        ?? StepOutput(stdout: [], stderr: [])
                    if !isEverything, output.stdout.isEmpty, output.stderr.isEmpty { continue }
                    let block = OutputBlock(step, worker, record, output, graph.plan.fleet)
                    let key = Key(
                        what: block.what, state: block.state, exitStatus: block.exitStatus,
                        digest: Digest.of("\(output.stdout.count) ".utf8 + output.stdout + output.stderr))
                    // The attempts of one step are told apart.
                    if filter.step == nil, let place = places[key] {
                        groups[place].workers.append(worker)
                        groups[place].steps.append(step.id)
                    } else {
                        places[key] = groups.count
                        groups.append(block)
                    }
                }
            }
        }
    }

    /// For a terminal.
    ///
    /// - Parameters:
    ///   - limit: groups that are shown; nil for all.
    ///   - folder: that of the bucket.
    func lines(_ terminal: Terminal, limit: Int? = Self.shownGroups, in folder: String) -> [String] {
        var lines = groups.prefix(limit ?? .max).flatMap { $0.lines(terminal, in: folder) }
        let rest = groups.count - (limit ?? .max)
        if rest > 0 { lines.append("and \(rest) more outputs: `maand-apply logs RUN` shows all") }
        return lines
    }

    /// For other programs.
    var rows: [Row] {
        groups.map { group in
            Row(
                what: group.what, workers: group.workers.map(\.text), steps: group.steps.map(\.text),
                attempt: group.attempt, state: group.state.rawValue, exit_status: group.exitStatus,
                stdout: String(decoding: group.output.stdout, as: UTF8.self),
                stderr: String(decoding: group.output.stderr, as: UTF8.self),
                stdout_bytes: group.output.stdoutSize, stderr_bytes: group.output.stderrSize)
        }
    }

    struct Row: Encodable {
        var what: String
        var workers: [String]
        var steps: [String]
        var attempt: Int
        var state: String
        var exit_status: Int?
        var stdout: String
        var stderr: String
        /// Bytes that were printed, of which the end is in `stdout`; nil if it was not counted.
        var stdout_bytes: Int?
        var stderr_bytes: Int?
    }
}

/// What one attempt printed, or several that did the same, ended so, and printed the same.
struct OutputBlock {
    /// What was done: the step's id without its worker.
    let what: String
    let attempt: Int
    let state: StepState
    let exitStatus: Int?
    let output: StepOutput
    var workers: [WorkerName]
    var steps: [StepID]
    /// Where the worker keeps all of the output; nil for a hook, whose host keeps no more than the catalog.
    private let place: String?
    private let isLocal: Bool

    init(_ step: Step, _ worker: WorkerName, _ record: StepRecord, _ output: StepOutput, _ fleet: Fleet) {
        let verb = step.task.rules.verb
        what = step.job.map { "\($0): \(verb)" } ?? verb
        attempt = record.attempt
        state = record.state
        exitStatus = record.exitStatus
        self.output = output
        workers = [worker]
        steps = [step.id]
        let run = record.attemptID.prefix { $0 != "-" }
        place =
            step.task.rules.receipt == .worker
            ? "\(fleet.workerRoot)/\(fleet.bucket)/receipts/\(run)/\(record.attemptID)" : nil
        isLocal = fleet.transport == .local
    }

    /// For a terminal.
    ///
    /// - Parameter folder: that of the bucket.
    func lines(_ terminal: Terminal, in folder: String) -> [String] {
        let count = workers.count == 1 ? "" : " (\(workers.count) workers)"
        let tries = attempt > 1 ? ", attempt \(attempt)" : ""
        let status = exitStatus.map { ", exit status \($0)" } ?? ", \(state.phrase)"
        var lines = [
            terminal.styled("── \(terminal.escape(what)) on ", .bold)
                + terminal.styled(WorkerList.text(workers) + count + tries + status, .bold)
        ]
        lines += terminal.lines(output.stdout)
        lines += terminal.lines(output.stderr).map { "stderr: \($0)" }
        let cut = [
            cutNote("standard output", output.stdout, of: output.stdoutSize, "out", in: folder),
            cutNote("standard error", output.stderr, of: output.stderrSize, "err", in: folder),
        ]
        return lines + cut.compactMap(\.self).map(terminal.escape)
    }

    /// What is not kept, and where it is; nil if all is shown.
    private func cutNote(
        _ stream: String, _ bytes: [UInt8], of size: Int?, _ file: String, in folder: String
    ) -> String? {
        guard size.map({ $0 > bytes.count }) ?? (bytes.count >= StepOutput.limit) else { return nil }
        let all = size.map { " of \($0)" } ?? ""
        var text = "(the last \(bytes.count) bytes\(all) of \(stream) are kept"
        if let place, let worker = workers.first {
            let path = isLocal ? "\(folder)/workers/\(worker)\(place)" : "\(worker):\(place)"
            text += "; until a later run removes it, the whole is in \(path).\(file)"
        }
        return text + ")"
    }
}

extension StepTask {
    /// Whether it runs something that can print.
    var prints: Bool {
        switch self {
        case .target, .hook, .shell, .reboot: true
        case .push, .gate, .bake, .order, .promote, .remove, .complete, .boot, .pause: false
        }
    }
}
