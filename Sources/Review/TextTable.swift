internal import YAML

/// Rows of text under headings, in columns, for a terminal.
public struct TextTable {
    private var rows: [[String]]

    /// A table without rows.
    public init(_ headings: [String]) { rows = [headings] }

    /// - Parameter cells: as many as there are headings; escaped here.
    public mutating func add(_ cells: [String]) { rows.append(cells.map { VisibleText.escape($0, for: .terminal) }) }

    /// The lines, without trailing spaces, with a line feed at the end.
    public var text: String {
        var widths = [Int](repeating: 0, count: rows[0].count)
        for row in rows {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) }
        }
        var out = ""
        for row in rows {
            var line = ""
            for (index, cell) in row.enumerated() {
                line += cell + String(repeating: " ", count: widths[index] - cell.count + 2)
            }
            while line.last == " " { line.removeLast() }
            out += line + "\n"
        }
        return out
    }
}
