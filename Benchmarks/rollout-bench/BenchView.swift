import Executor
import Foundation
import Model
import RunViews
import Synchronization
import ThisHost

/// Draws a run as maand-apply does on a terminal, to /dev/null.
final class BenchView: Sendable {
    private struct State {
        var progress = RunProgress(.normal, isLive: true)
        var screen = LiveScreen(isColored: true)
        var pending: [StyledLine] = []
        var drawings = 0
        var isStopped = false
    }

    private let state = Mutex(State())
    private let file: FileHandle

    init() throws {
        file = try FileHandle(forWritingTo: URL(filePath: "/dev/null"))
        Thread.detachNewThread { [self] in
            while state.withLock({ !$0.isStopped }) {
                draw()
                Thread.sleep(forTimeInterval: 0.2)
            }
        }
    }

    func show(_ event: RunEvent) {
        let now = Clock.system.now()
        state.withLock { state in
            for report in state.progress.apply(event, at: now) { state.pending.append(report.line) }
        }
    }

    /// How often it was drawn.
    func stop() -> Int {
        draw()
        return state.withLock { state in
            state.isStopped = true
            return state.drawings
        }
    }

    private func draw() {
        let text = state.withLock { state -> String in
            let rest = state.progress.rest()
            let view = LiveView(state.progress, columns: 200, rows: 50, now: Clock.system.now(), end: rest)
            let lines = state.pending
            state.pending = []
            state.drawings += 1
            return state.screen.update(scrollback: lines, to: view.lines, columns: 200)
        }
        try? file.write(contentsOf: Data(text.utf8))
    }
}
