/// The lines that are drawn at the bottom of a terminal, below what scrolls: what has to be written so that it shows others.
/// A pure value.
///
/// Only lines that have changed are written, between the marks of a synchronized update. The cursor stays on the last line.
/// Erase the lines with `clear` before anything else is written.
public struct LiveScreen: Sendable {
    private var lines: [StyledLine] = []
    private var columns = 0
    private let isColored: Bool

    public init(isColored: Bool) { self.isColored = isColored }

    private static let begin = "\u{1b}[?2026h\u{1b}[?25l"
    private static let end = "\u{1b}[?2026l"
    private static let eraseRest = "\u{1b}[K"
    private static let eraseBelow = "\u{1b}[J"

    /// What to write, so that these lines are shown; empty if they are shown already.
    ///
    /// - Parameters:
    ///   - scrollback: lines that go above, and stay there.
    ///   - next: at most so many as the terminal has rows, none wider than `columns`.
    public mutating func update(scrollback: [StyledLine], to next: [StyledLine], columns: Int) -> String {
        defer { (lines, self.columns) = (next, columns) }
        if scrollback.isEmpty, columns == self.columns, next.count == lines.count {
            let changed = changes(to: next, columns: columns)
            return changed.isEmpty ? "" : Self.begin + changed + Self.end
        }
        if scrollback.isEmpty, next.isEmpty, lines.isEmpty { return "" }
        var text = Self.begin + toTop(columns) + Self.eraseBelow
        for line in scrollback { text += styled(line) + "\n" }
        text += next.map(styled).joined(separator: "\n")
        return text + Self.end
    }

    /// What to write, so that nothing is shown any more and the cursor is at the beginning of a line.
    public mutating func clear(columns: Int) -> String {
        defer { lines = [] }
        return toTop(columns) + Self.eraseBelow + "\u{1b}[?25h"
    }

    /// Forgets what is shown: somebody else has written to the terminal.
    public mutating func forget() { lines = [] }

    private func changes(to next: [StyledLine], columns: Int) -> String {
        var text = ""
        var row = lines.count - 1
        for (index, line) in next.enumerated() where line != lines[index] {
            text += Self.move(from: row, to: index) + "\r" + styled(line)
            // Behind a full line the cursor is still on its last column.
            if line.width < columns { text += Self.eraseRest }
            row = index
        }
        return text.isEmpty ? "" : text + Self.move(from: row, to: lines.count - 1)
    }

    private static func move(from row: Int, to other: Int) -> String {
        if row == other { return "" }
        return row < other ? "\u{1b}[\(other - row)B" : "\u{1b}[\(row - other)A"
    }

    /// To the first of the lines. A terminal that has become narrower has folded them.
    private func toTop(_ columns: Int) -> String {
        let rows = lines.reduce(0) { rows, line in
            rows + (columns < self.columns && columns > 0 ? max(1, (line.width + columns - 1) / columns) : 1)
        }
        return rows > 1 ? "\r\u{1b}[\(rows - 1)A" : "\r"
    }

    private func styled(_ line: StyledLine) -> String { line.rendered(isColored: isColored) }
}

extension StyledLine {
    /// With the escape sequences of its styles, or without any.
    public func rendered(isColored: Bool) -> String {
        guard isColored else { return text }
        return parts.map { part in
            part.tone.code.isEmpty ? part.text : "\u{1b}[\(part.tone.code)m\(part.text)\u{1b}[0m"
        }.joined()
    }
}

extension StyledLine.Tone {
    /// Of the sequence that sets it.
    fileprivate var code: String {
        switch self {
        case .plain: ""
        case .faint: "2"
        case .bold: "1"
        case .good: "32"
        case .warning: "33"
        case .bad: "31"
        }
    }
}
