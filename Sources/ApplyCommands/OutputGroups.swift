import Catalog
import Commands
import Foundation
import Model
import Plans
import Review
import StepMachinery

/// What the steps of a run printed on their workers: equal outputs once, with the workers that printed them.
struct OutputGroups {
    /// Steps that did the same, ended so, and printed the same.
    struct Group {
        /// What was done: the step's id without its worker.
        let what: String
        let state: StepState
        let exitStatus: Int?
        let output: StepOutput
        var workers: [WorkerName]
        var steps: [StepID]
    }

    /// In the order of the plan.
    private(set) var groups: [Group] = []

    private struct Key: Hashable {
        var what: String
        var state: StepState
        var exitStatus: Int?
        var digest: Digest
    }

    /// Groups that are shown after a run; the others are counted.
    private static let shownGroups = 50

    /// - Parameter isEverything: also steps that printed nothing.
    /// - Throws: `CatalogError`.
    init(_ graphs: [StepGraph], _ catalog: Catalog, of run: RunID, isEverything: Bool) throws {
        let records = Dictionary(try catalog.steps(of: run).map { ($0.step, $0) }) { _, last in last }
        var places: [Key: Int] = [:]
        for step in graphs.flatMap(\.steps) {
            guard let worker = step.worker, let record = records[step.id], Self.prints(step.task) else { continue }
            let output = try catalog.output(of: run, step: step.id) ?? StepOutput(stdout: [], stderr: [])
            if !isEverything, output.stdout.isEmpty, output.stderr.isEmpty { continue }
            let what = Self.name(of: step)
            let key = Key(
                what: what, state: record.state, exitStatus: record.exitStatus,
                digest: Digest.of("\(output.stdout.count) ".utf8 + output.stdout + output.stderr))
            if let place = places[key] {
                groups[place].workers.append(worker)
                groups[place].steps.append(step.id)
            } else {
                places[key] = groups.count
                groups.append(
                    Group(
                        what: what, state: record.state, exitStatus: record.exitStatus, output: output,
                        workers: [worker], steps: [step.id]))
            }
        }
    }

    private static func prints(_ task: StepTask) -> Bool {
        switch task {
        case .target, .hook, .shell, .reboot: true
        case .push, .gate, .bake, .order, .promote, .remove, .complete, .boot, .pause: false
        }
    }

    /// What a step does, for all workers alike: `command`, or `api: restart`.
    private static func name(of step: Step) -> String {
        let verb = step.task.rules.verb
        return step.job.map { "\($0): \(verb)" } ?? verb
    }

    /// For a terminal.
    ///
    /// - Parameter limit: groups that are shown; nil for all.
    func lines(_ terminal: Terminal, limit: Int? = Self.shownGroups) -> [String] {
        var lines: [String] = []
        for group in groups.prefix(limit ?? .max) {
            let count = group.workers.count == 1 ? "" : " (\(group.workers.count) workers)"
            let status = group.exitStatus.map { ", exit status \($0)" } ?? ", \(group.state.phrase)"
            lines.append(
                terminal.styled("── \(terminal.escape(group.what)) on ", .bold)
                    + terminal.styled(WorkerList.text(group.workers) + count + status, .bold))
            lines += terminal.lines(group.output.stdout)
            lines += terminal.lines(group.output.stderr).map { "stderr: \($0)" }
            if max(group.output.stdout.count, group.output.stderr.count) >= StepOutput.limit {
                lines.append("(the last \(StepOutput.limit >> 10) KiB of each stream are kept)")
            }
        }
        let rest = groups.count - (limit ?? .max)
        if rest > 0 { lines.append("and \(rest) more outputs: `maand-apply output RUN` shows all") }
        return lines
    }

    /// For other programs.
    var rows: [Row] {
        groups.map { group in
            Row(
                what: group.what, workers: group.workers.map(\.text), steps: group.steps.map(\.text),
                state: group.state.rawValue, exit_status: group.exitStatus,
                stdout: String(decoding: group.output.stdout, as: UTF8.self),
                stderr: String(decoding: group.output.stderr, as: UTF8.self))
        }
    }

    struct Row: Encodable {
        var what: String
        var workers: [String]
        var steps: [String]
        var state: String
        var exit_status: Int?
        var stdout: String
        var stderr: String
    }
}
