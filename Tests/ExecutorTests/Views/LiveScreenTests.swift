import RunViews
import Testing

/// What is written to a terminal, seen by what a terminal makes of it.
@Suite struct LiveScreenTests {
    @Test func theTerminalShowsTheLinesBelowWhatScrolls() {
        var terminal = Screen(columns: 20)
        var screen = LiveScreen(isColored: false)
        terminal.write(screen.update(scrollback: [], to: Self.lines("one", "two"), columns: 20))
        #expect(terminal.rows == ["one", "two"])
        terminal.write(screen.update(scrollback: Self.lines("ended"), to: Self.lines("one", "2", "3"), columns: 20))
        #expect(terminal.rows == ["ended", "one", "2", "3"])
        terminal.write(screen.update(scrollback: Self.lines("b", "c"), to: Self.lines("x"), columns: 20))
        #expect(terminal.rows == ["ended", "b", "c", "x"])
        terminal.write(screen.clear(columns: 20))
        #expect(terminal.rows == ["ended", "b", "c"])
        #expect(terminal.showsCursor)
    }

    @Test func onlyLinesThatHaveChangedAreWritten() {
        var screen = LiveScreen(isColored: true)
        var terminal = Screen(columns: 20)
        terminal.write(screen.update(scrollback: [], to: Self.lines("first", "second", "third"), columns: 20))
        let text = screen.update(scrollback: [], to: Self.lines("first", "2nd", "third"), columns: 20)
        terminal.write(text)
        #expect(terminal.rows == ["first", "2nd", "third"])
        #expect(!text.contains("first") && !text.contains("third"))
        #expect(text.hasPrefix("\u{1b}[?2026h") && text.hasSuffix("\u{1b}[?2026l"))
        #expect(screen.update(scrollback: [], to: Self.lines("first", "2nd", "third"), columns: 20).isEmpty)
    }

    @Test func aFullLineKeepsItsLastCharacter() {
        var screen = LiveScreen(isColored: false)
        var terminal = Screen(columns: 5)
        terminal.write(screen.update(scrollback: [], to: Self.lines("abc", "x"), columns: 5))
        terminal.write(screen.update(scrollback: [], to: Self.lines("abcde", "x"), columns: 5))
        #expect(terminal.rows == ["abcde", "x"])
    }

    @Test func aTerminalThatBecomesNarrowerKeepsNothingOfTheOldView() {
        var screen = LiveScreen(isColored: false)
        var terminal = Screen(columns: 10)
        terminal.write(screen.update(scrollback: Self.lines("above"), to: Self.lines("0123456789", "x"), columns: 10))
        terminal.fold(to: 5)
        #expect(terminal.rows == ["above", "01234", "56789", "x"])
        terminal.write(screen.update(scrollback: [], to: Self.lines("0123", "y"), columns: 5))
        #expect(terminal.rows == ["above", "0123", "y"])
    }

    @Test func colorsAreWrittenOnlyIfTheyAreWanted() {
        let line = StyledLine("bad", .bad)
        #expect(line.rendered(isColored: false) == "bad")
        #expect(line.rendered(isColored: true) == "\u{1b}[31mbad\u{1b}[0m")
    }

    @Test(arguments: [
        ("plain", 5), ("日本語", 6), ("e\u{301}", 1), ("🚀 up", 5), ("한국", 4), ("naïve", 5), ("", 0),
    ]) func wideCharactersTakeTwoColumns(text: String, width: Int) {
        #expect(StyledLine(text).width == width)
    }

    @Test func whatDoesNotFitIsCutAtACharacter() {
        #expect(StyledLine("日本語").cut(to: 6).text == "日本語")
        #expect(StyledLine("日本語").cut(to: 5).text == "日本…")
        #expect(StyledLine("日本語").cut(to: 4).text == "日…")
        #expect(StyledLine("abc").cut(to: 0).text == "")
    }

    private static func lines(_ texts: String...) -> [StyledLine] { texts.map { StyledLine($0) } }
}

/// As much of a terminal as the view uses.
private struct Screen {
    private(set) var columns: Int
    private var grid: [[Character]] = [[]]
    private var row = 0
    private var column = 0
    private(set) var showsCursor = true

    init(columns: Int) { self.columns = columns }

    /// Without what is empty at the end.
    var rows: [String] {
        var rows = grid.map { String($0) }
        while rows.last?.isEmpty == true { rows.removeLast() }
        return rows
    }

    /// Makes the terminal narrower, as one does that folds its lines. The cursor stays in the last one.
    mutating func fold(to columns: Int) {
        self.columns = columns
        grid = grid.flatMap { line in
            line.isEmpty
                ? [line] : stride(from: 0, to: line.count, by: columns).map { Array(line[$0...].prefix(columns)) }
        }
        row = grid.count - 1
        column = grid[row].count
    }

    mutating func write(_ text: String) {
        var rest = Array(text)[...]
        while let character = rest.popFirst() {
            switch character {
            case "\r": column = 0
            case "\n", "\r\n":
                row += 1
                column = 0
                while grid.count <= row { grid.append([]) }
            case "\u{1b}":
                rest = rest.dropFirst()
                let parameter = rest.prefix { !$0.isLetter }
                rest = rest.dropFirst(parameter.count)
                if let letter = rest.popFirst() { obey(letter, String(parameter)) }
            default: put(character)
            }
        }
    }

    private mutating func put(_ character: Character) {
        if column == columns {
            row += 1
            column = 0
            while grid.count <= row { grid.append([]) }
        }
        while grid[row].count < column { grid[row].append(" ") }
        if column < grid[row].count { grid[row][column] = character } else { grid[row].append(character) }
        column += 1
    }

    private mutating func obey(_ letter: Character, _ parameter: String) {
        let count = Int(parameter) ?? 1
        switch (letter, parameter) {
        case ("A", _): row = max(0, row - count)
        case ("B", _): row = min(grid.count - 1, row + count)
        // On the last column behind a full line, it takes that column, too.
        case ("K", _): grid[row] = Array(grid[row].prefix(min(column, columns - 1)))
        case ("J", _):
            grid[row] = Array(grid[row].prefix(column))
            grid = Array(grid.prefix(row + 1))
        case ("l", "?25"): showsCursor = false
        case ("h", "?25"): showsCursor = true
        default: break
        }
    }
}
