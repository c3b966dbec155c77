internal import Catalog
internal import Executor
public import Model
internal import Plans
internal import StepMachinery
internal import Windows

/// What a terminal shows of a run that is under way: lines for a given size. A pure value.
///
/// From above: what runs, when it is expected to end, how far it is; then the jobs of the present wave, what each worker of the
/// running batches does, the gates that are asked, and what has failed.
public struct LiveView: Sendable {
    let progress: RunProgress
    let columns: Int
    let rows: Int
    let now: Timestamp
    /// By when it is expected to end; nil if too little is known.
    let end: Forecast.Expected?

    /// - Parameters:
    ///   - columns: of the terminal; what does not fit is cut.
    ///   - rows: of the terminal. The view takes at most two thirds of them, and at least eight.
    ///   - end: milliseconds that the rest is expected to take, as `RunProgress.rest()` says.
    public init(
        _ progress: RunProgress, columns: Int, rows: Int, now: Timestamp, end: Forecast.Expected? = nil
    ) {
        self.progress = progress
        self.columns = columns
        self.rows = rows
        self.now = now
        self.end = end
    }

    /// None before the run begins.
    public var lines: [StyledLine] {
        guard progress.run != nil, let graph = progress.graph else { return [] }
        let height = max(min(rows - 1, 8), rows * 2 / 3)
        // Of one job alone its own line says all.
        let head = [title, times] + (graph.units.count > 1 ? [total(graph)] : [])
        let failures = pinned(max(1, min(5, height / 5)))
        let notes = self.notes
        var room = height - head.count - failures.count - notes.count
        let jobs = jobLines(graph, limit: max(1, room / 2))
        room -= jobs.count
        let workers = workerLines(graph, limit: max(0, room))
        return (head + jobs + workers + notes + failures).prefix(max(1, rows - 1)).map { $0.cut(to: columns) }
    }

    // MARK: Head

    private var title: StyledLine {
        guard let run = progress.run, let graph = progress.graph else { return StyledLine() }
        let isBack = graph.plan.origin?.isPartOfRun == true
        return StyledLine("run \(run.id)", .bold)
            + StyledLine(
                " \(isBack ? "goes back" : graph.plan.kind.rawValue), plan \(run.plan.hex.prefix(12)), by "
                    + progress.escaped(run.startedBy))
    }

    private var times: StyledLine {
        var parts: [String] = []
        if let since = progress.since { parts.append("for \(text(since: since))") }
        if let end {
            let (early, late) = (seconds(end.median), seconds(end.ninth))
            let clock = Timestamp(milliseconds: now.milliseconds + end.ninth).clockText
            let rest = early == late ? early : "\(early) (p50) to \(late) (p90)"
            parts.append("expected end in \(rest), \(clock) UTC" + (end.isComplete ? "" : ", or later"))
        } else {
            parts.append("expected end not known yet")
        }
        if let cutoff = progress.cutoff {
            let rest = cutoff.milliseconds - now.milliseconds
            parts.append(
                rest > 0 ? "cutoff in \(durationText(milliseconds: rest))" : "the cutoff has passed")
        } else if let window = progress.graph?.plan.window {
            parts.append("in a window (\(progress.escaped(window.zone)))")
        }
        return StyledLine(parts.joined(separator: " · "), .faint)
    }

    private func total(_ graph: StepGraph) -> StyledLine {
        var all = 0
        var counts: [Standing: Int] = [:]
        for tally in progress.units.values {
            all += tally.all
            counts.merge(tally.counts, uniquingKeysWith: +)
        }
        let deed = graph.units.indices.last.map { graph.deed(of: $0) } ?? ""
        let text = RunProgress.counts(counts, of: all, deed)
        let bar = bar(counts, of: all, width: max(10, min(60, columns / 3)))
        let parking = progress.parking.map { StyledLine("  parking after \($0)", .warning) } ?? StyledLine()
        return bar + StyledLine(" \(text)") + parking
    }

    private func bar(_ counts: [Standing: Int], of all: Int, width: Int) -> StyledLine {
        guard all > 0 else { return StyledLine() }
        let done = (counts[.done] ?? 0) + (counts[.notNeeded] ?? 0)
        let left = counts[.leftBehind] ?? 0
        let bad = counts.values.reduce(0, +) - done - left
        // What has gone wrong is seen, however little it is.
        let badCells = bad == 0 ? 0 : max(1, bad * width / all)
        let leftCells = left == 0 ? 0 : max(1, left * width / all)
        let doneCells = min(done * width / all, width - min(width, badCells + leftCells))
        let rest = max(0, width - badCells - leftCells - doneCells)
        return StyledLine(String(repeating: "█", count: doneCells), .good)
            + StyledLine(String(repeating: "✗", count: badCells), .bad)
            + StyledLine(String(repeating: "-", count: leftCells), .warning)
            + StyledLine(String(repeating: "░", count: rest), .faint)
    }

    // MARK: Jobs

    /// A line for each job that runs, with the number of those before and behind.
    private func jobLines(_ graph: StepGraph, limit: Int) -> [StyledLine] {
        var open: [UnitIndex] = []
        var (done, failed, waiting) = (0, 0, 0)
        for unit in graph.units.indices {
            let tally = progress.units[unit] ?? .init()
            switch tally.result {
            case .succeeded: done += 1
            case .failed, .stale, .unknown: failed += 1
            case .parked, nil:
                if tally.began != nil { open.append(unit) } else { waiting += 1 }
            }
        }
        let names = open.map { graph.units[$0].name }
        let width = min(24, names.map(TextWidth.of).max() ?? 0)
        var lines = open.prefix(max(1, limit - 1)).map { jobLine($0, graph, nameWidth: width) }
        let more = open.count - lines.count
        let wave = (open.first ?? graph.units.indices.first { progress.units[$0]?.result == nil }).map {
            waveText($0, graph)
        }
        let texts = [
            wave, more > 0 ? "\(more) more jobs run" : nil, done > 0 ? "\(done) done" : nil,
            failed > 0 ? "\(failed) failed" : nil, waiting > 0 ? "\(waiting) waiting" : nil,
        ].compactMap { $0 }
        if graph.units.count > 1 { lines.append(StyledLine("jobs: " + texts.joined(separator: ", "), .faint)) }
        return lines
    }

    private func waveText(_ unit: UnitIndex, _ graph: StepGraph) -> String {
        let level = graph.units[unit].level
        guard graph.plan.waves.indices.contains(level) else { return "stops" }
        return "wave \(level + 1) of \(graph.plan.waves.count)"
    }

    private func jobLine(_ unit: UnitIndex, _ graph: StepGraph, nameWidth: Int) -> StyledLine {
        let tally = progress.units[unit] ?? .init()
        let name = StyledLine(graph.units[unit].name, .bold).cut(to: nameWidth).filled(to: nameWidth)
        let bar = bar(tally.counts, of: tally.all, width: max(8, min(40, columns / 5)))
        let counts = RunProgress.counts(tally.counts, of: tally.all, graph.deed(of: unit))
        let stage = stageText(unit, tally.stage, graph)
        return name + StyledLine(" ") + bar + StyledLine(" \(stage.isEmpty ? "" : "\(stage): ")\(counts)")
    }

    private func stageText(_ unit: UnitIndex, _ stage: StageIndex, _ graph: StepGraph) -> String {
        guard graph.units[unit].stages.indices.contains(stage) else { return "" }
        switch graph.units[unit].stages[stage] {
        case .batch(let batch):
            guard let position = batch.position else { return "hooks" }
            let phase = position.phase.map { "\($0.rawValue) " } ?? ""
            return "\(phase)\(position.index + 1)/\(position.count)"
        case .single(let step):
            guard let running = progress.running[step] else { return "" }
            let verb = graph.steps[step].task.rules.verb
            if let gate = progress.gates[step] { return "\(verb) try \(gate.tries + 1) of \(gate.all)" }
            if let until = running.until {
                let rest = max(0, until.milliseconds - now.milliseconds)
                return "\(verb), \(seconds(rest)) to go"
            }
            return "\(verb) for \(text(since: running.since))"
        case .afterHooks: return "hooks"
        }
    }

    // MARK: Workers

    /// What each worker does, the longest first, in as many columns as fit.
    private func workerLines(_ graph: StepGraph, limit: Int) -> [StyledLine] {
        let active = progress.running.filter { graph.steps[$0.key].worker != nil }
            .sorted { ($0.value.seconds, $0.key) < ($1.value.seconds, $1.key) }
        guard !active.isEmpty, limit > 0 else { return [] }
        let isSeveral = graph.units.count > 1
        let perLine = max(1, (columns + 2) / 40)
        let width = (columns + 2) / perLine - 2
        let capacity = limit * perLine
        let shown = active.count > capacity ? max(0, capacity - 1) : active.count
        var cells = active.prefix(shown).map { index, running in
            cell(graph.steps[index], running, isSeveral: isSeveral, width: width)
        }
        if active.count > shown { cells.append(StyledLine("  and \(active.count - shown) more", .faint)) }
        return stride(from: 0, to: cells.count, by: perLine).map { start in
            cells[start..<min(start + perLine, cells.count)].reduce(StyledLine()) { line, cell in
                line.parts.isEmpty ? cell.filled(to: width) : line + StyledLine("  ") + cell.filled(to: width)
            }
        }
    }

    private func cell(
        _ step: Step, _ running: RunProgress.Running, isSeveral: Bool, width: Int
    ) -> StyledLine {
        let name = isSeveral ? "\(step.subject)" : step.worker?.text ?? ""
        let attempt = running.attempt > 1 ? " (attempt \(running.attempt))" : ""
        let end =
            StyledLine(" \(step.task.rules.verb)\(attempt)")
            + StyledLine(" \(text(since: running.since))", .faint)
        return StyledLine("  ▸ ", .faint) + StyledLine(name).cut(to: max(8, width - 4 - end.width)) + end
    }

    // MARK: What is in the way

    /// Questions to workers, gates that do not pass, the latest remark.
    private var notes: [StyledLine] {
        var lines = progress.questionTexts.map { StyledLine($0, .faint) }
        for (index, gate) in progress.gates.sorted(by: { $0.key < $1.key }).prefix(3) {
            guard let step = progress.graph?.steps[index] else { continue }
            let problem = progress.escaped(gate.problem)
            lines.append(
                StyledLine("gate \(RunProgress.place(step)) try \(gate.tries) of \(gate.all): \(problem)", .warning))
        }
        if let remark = progress.remark, now.milliseconds - remark.at.milliseconds < Self.remarkMilliseconds {
            lines.append(StyledLine(remark.text, .warning))
        }
        return lines
    }

    /// For how long a remark is shown.
    private static let remarkMilliseconds: Int64 = 30_000

    private func pinned(_ limit: Int) -> [StyledLine] {
        var lines = progress.pinned.suffix(limit).map { StyledLine("✗ \($0)", .bad) }
        let more = progress.failures - lines.count
        if more > 0, !lines.isEmpty { lines[0] = StyledLine("✗ and \(more + 1) more before these", .bad) }
        return lines
    }

    private func text(since: Timestamp) -> String { seconds(now.milliseconds - since.milliseconds) }

    /// Whole seconds: what changes every second needs no tenths.
    private func seconds(_ milliseconds: Int64) -> String {
        milliseconds < 10_000 ? "\(max(0, milliseconds) / 1000) s" : durationText(milliseconds: milliseconds)
    }
}

extension Timestamp {
    /// `18:42`, in UTC.
    fileprivate var clockText: String { String(utcText.dropFirst(11).prefix(5)) }
}
