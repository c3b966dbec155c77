import Catalog
import Commands
import Executor
import Foundation
import Model
import Plans
import RunViews
import StepMachinery
import Synchronization
import ThisHost
import Windows

/// Prints a run as it goes: on a terminal a view that is drawn again and again below the lines of what has ended, elsewhere
/// these lines alone, each with the time.
///
/// Events may come from several tasks at a time. On a terminal a thread of its own writes, so that a terminal that takes nothing
/// holds up no rollout.
final class ProgressPrinter: Sendable {
    private struct State {
        var progress: RunProgress
        var screen: LiveScreen
        /// Lines that are still to be written above the view.
        var pending: [StyledLine] = []
        var dropped = 0
        /// When a line was written last.
        var told = ContinuousClock.now
        /// When something was told to `observe` last, or happened.
        var heard = ContinuousClock.now
        var rest: (value: Forecast.Expected?, at: ContinuousClock.Instant)?
        var isStarted = false
        var isStopped = false
    }

    private let terminal: Terminal
    private let isColored: Bool
    private let verbosity: Verbosity
    let isLive: Bool
    private let state: Mutex<State>
    private let records: Records
    private let observe: @Sendable (RunEvent) -> Void
    private let stopped = DispatchSemaphore(value: 0)

    /// Between two drawings, in milliseconds.
    private static let frame = 200
    /// Nothing is silent for longer, in seconds; waits whose end was told are told once a minute.
    private static let silence = Duration.seconds(5)
    private static let pauseSilence = Duration.seconds(60)
    /// Lines that wait for a terminal that takes nothing.
    private static let pendingLimit = 5000

    /// What is asked of the catalog while a run goes on.
    struct Records: Sendable {
        /// Of a job's steps in earlier runs, as `Catalog.durations(of:)` gives them.
        var durations: @Sendable (JobName) -> [String: [Int64]]
        /// What the latest attempt of a step printed.
        var output: @Sendable (RunID, StepID) -> StepOutput?
    }

    /// - Parameters:
    ///   - drawsView: false if something else is on the terminal.
    ///   - records: asked in the middle of events.
    ///   - observe: is told what is waited for if nothing ends for a while.
    init(
        _ terminal: Terminal, drawsView: Bool, isColored: Bool, _ verbosity: Verbosity,
        records: Records,
        observe: @escaping @Sendable (RunEvent) -> Void
    ) {
        self.terminal = terminal
        self.isColored = isColored
        self.verbosity = verbosity
        self.records = records
        self.observe = observe
        isLive =
            drawsView && verbosity != .quiet && environment("TERM").map { $0 != "dumb" } == true
            && TerminalState.isUsable
        state = Mutex(State(progress: RunProgress(verbosity, isLive: isLive), screen: LiveScreen(isColored: isColored)))
    }

    /// Begins to draw, or to tell what is waited for, with the first event of the run.
    private func start() {
        if isLive { TerminalState.change() }
        Thread.detachNewThread { [self] in
            while state.withLock({ !$0.isStopped }) {
                Thread.sleep(forTimeInterval: Double(isLive ? Self.frame : 1000) / 1000)
                if isLive { draw() }
                tellWaiting()
            }
            stopped.signal()
        }
    }

    /// Draws for the last time, erases the view, and gives the terminal back. To be called before anything else is printed.
    func stop() {
        let wasRunning = state.withLock { state in
            defer { state.isStopped = true }
            return state.isStarted && !state.isStopped
        }
        guard wasRunning, isLive else { return }
        stopped.wait()
        draw()
        write(state.withLock { $0.screen.clear(columns: TerminalState.size.columns) })
        TerminalState.restore()
    }

    func show(_ event: RunEvent) {
        let now = Clock.system.now()
        var lines: [StyledLine] = []
        let isFirst = state.withLock { state in
            state.heard = .now
            let event = withCause(event, state.progress.run?.id)
            for report in state.progress.apply(event, at: now) { lines.append(report.line) }
            if !lines.isEmpty { state.told = .now }
            if isLive {
                let room = max(0, Self.pendingLimit - state.pending.count)
                state.pending += lines.prefix(room)
                state.dropped += max(0, lines.count - room)
            } else {
                emit(lines, at: now)
            }
            defer { state.isStarted = true }
            return !state.isStarted
        }
        if isFirst { start() }
        if isLive, case .began(_, let graph, _) = event {
            readDurations(of: graph.plan.waves.flatMap(\.jobs).map(\.job))
        }
    }

    /// A failed step with the line of its output that says why.
    private func withCause(_ event: RunEvent, _ run: RunID?) -> RunEvent {
        guard case .stepEnded(let step, let outcome, let code, let detail, let milliseconds) = event, let run,
            outcome == .failed || outcome == .unknown, let line = records.output(run, step.id)?.tellingLine
        else { return event }
        let text = [detail, line].compactMap { $0 }.joined(separator: ": ")
        return .stepEnded(step, outcome: outcome, code: code, detail: text, milliseconds: milliseconds)
    }

    /// Where no view is drawn, lines are written when they come. The state is locked meanwhile, so that they keep their order.
    private func emit(_ lines: [StyledLine], at now: Timestamp) {
        for line in lines { terminal.print("\(now.utcText) \(line.rendered(isColored: isColored))") }
    }

    private func readDurations(of jobs: [JobName]) {
        Thread.detachNewThread { [self] in
            for job in jobs {
                let found = records.durations(job)
                let isStopped = state.withLock { state in
                    state.progress.forecast.note(job, found)
                    return state.isStopped
                }
                if isStopped { return }
            }
        }
    }

    // MARK: The thread

    private func draw() {
        let size = TerminalState.size
        let wasStopped = TerminalState.takeStopped()
        let text = state.withLock { state -> String in
            if wasStopped { state.screen.forget() }
            if state.rest.map({ $0.at.duration(to: .now) > .seconds(1) }) ?? true {
                state.rest = (state.progress.rest(), .now)
            }
            var lines = state.pending
            if state.dropped > 0 { lines.append(StyledLine("\(state.dropped) lines are left out here", .warning)) }
            (state.pending, state.dropped) = ([], 0)
            let view = LiveView(
                state.progress, columns: size.columns, rows: size.rows, now: Clock.system.now(),
                end: state.rest?.value ?? nil)
            return state.screen.update(scrollback: lines, to: view.lines, columns: size.columns)
        }
        write(text)
    }

    private func write(_ text: String) {
        if !text.isEmpty { try? HostFiles.writeAll(Array(text.utf8), to: STDOUT_FILENO) }
    }

    private func tellWaiting() {
        state.withLock { state in
            if state.isStopped { return }
            let silence = state.progress.onlyPauses ? Self.pauseSilence : Self.silence
            guard state.heard.duration(to: .now) >= silence || state.told.duration(to: .now) >= silence,
                let waiting = state.progress.waiting(at: Clock.system.now())
            else { return }
            if state.heard.duration(to: .now) >= silence {
                state.heard = .now
                observe(waiting.event)
            }
            guard !isLive, verbosity != .quiet, state.told.duration(to: .now) >= silence else { return }
            state.told = .now
            emit([StyledLine("waiting: \(waiting.text)", .faint)], at: Clock.system.now())
        }
    }
}
