import Catalog
import Commands
import Foundation
import Model
import RunViews

extension RunReport {
    /// For people: at most so many rows, so that a thousand workers are one screen. The head and the advice are always shown.
    ///
    /// - Parameters:
    ///   - size: of the terminal; nil for no limit.
    ///   - showsWorkers: what became of every allocation and worker is shown.
    func lines(_ terminal: Terminal, size: (columns: Int, rows: Int)?, showsWorkers: Bool) -> [String] {
        let head = head(terminal)
        let tail = advice.map { [terminal.escape($0)] } ?? []
        guard let size, !showsWorkers else {
            return head + StatusScreen.fit(parts(terminal, showsWorkers: showsWorkers), rows: nil) + tail
        }
        let fixed = (head + tail).reduce(0) { $0 + StatusScreen.rows(of: $1, columns: size.columns) }
        let middle = StatusScreen.fit(parts(terminal, showsWorkers: false), rows: max(0, size.rows - fixed))
        return head + middle.map { StatusScreen.cut($0, columns: size.columns) } + tail
    }

    private func parts(_ terminal: Terminal, showsWorkers: Bool) -> [StatusPart] {
        var parts: [StatusPart] = []
        if let recap {
            parts.append(StatusPart(recap.jobLines(limit: .max).map(terminal.escape), rest: "more jobs"))
            if showsWorkers { parts.append(StatusPart(recap.memberLines().map(terminal.escape), rest: "")) }
        }
        let orders = orderLines.map(terminal.escape)
        if !orders.isEmpty { parts.append(StatusPart(orders, rest: "more orders")) }
        let open = openLines.map(terminal.escape)
        let more = "more steps: `maand-apply status \(run.id) --workers`"
        if !open.isEmpty { parts.append(StatusPart(open, rest: more)) }
        let left = leftBehind.map { terminal.escape("  \($0.subject) is left behind: \($0.reason)") }
        if !left.isEmpty { parts.append(StatusPart(left, rest: "more left behind")) }
        let drained = drained.map {
            terminal.escape("  \($0) is drained: no hook of after_allocation_healthy has run for it")
        }
        if !drained.isEmpty { parts.append(StatusPart(drained, rest: "more drained")) }
        return parts
    }
}
