import RunViews
import Testing

/// How the parts of `status` share a screen.
@Suite struct StatusScreenTests {
    private static func part(_ name: String, _ count: Int) -> StatusPart {
        StatusPart((0..<count).map { "\(name)\($0)" }, rest: "more")
    }

    @Test func everythingIsShownIfThereIsRoom() {
        let lines = StatusScreen.fit([Self.part("a", 3), Self.part("b", 7)], rows: 10)
        #expect(lines == (0..<3).map { "a\($0)" } + (0..<7).map { "b\($0)" })
        #expect(StatusScreen.fit([Self.part("a", 1000)], rows: nil).count == 1000)
    }

    @Test func aLongPartLeavesTheShortOnesWhole() {
        let lines = StatusScreen.fit([Self.part("a", 1000), Self.part("b", 4), Self.part("c", 1)], rows: 15)
        #expect(lines.count == 15)
        #expect(lines.suffix(5) == ["b0", "b1", "b2", "b3", "c0"])
        #expect(lines[9] == "  and 991 more")
    }

    @Test(arguments: [0, 1, 9, 10, 24, 40, 57])
    func partsNeverTakeMoreThanThereIs(_ rows: Int) {
        let parts = [Self.part("a", 300), Self.part("b", 2), Self.part("c", 900), Self.part("d", 20)]
        let lines = StatusScreen.fit(parts, rows: rows)
        // Three rows for each part, as far as it needs them.
        #expect(lines.count <= max(rows, 11))
        for name in ["a", "b", "c", "d"] { #expect(lines.contains { $0.hasPrefix(name) }) }
    }

    @Test func textsAreCountedAndCutByTheirColumns() {
        #expect(StatusScreen.rows(of: "", columns: 80) == 1)
        #expect(StatusScreen.rows(of: String(repeating: "x", count: 81), columns: 80) == 2)
        #expect(StatusScreen.cut(String(repeating: "x", count: 81), columns: 80).count == 80)
        #expect(StatusScreen.cut("short", columns: 80) == "short")
    }
}
