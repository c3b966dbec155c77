import Testing
import YAML

@Suite struct DiagnosticTests {
    @Test func showsTheLineAndACaret() throws {
        let diagnostic = try #require(refusal(of: try parseYAML("a: 1\nbé: {x: 1, x: 2}\nc: 3\n")))
        #expect(
            diagnostic.description == """
                plan.yaml:2:12: error: the key "x" is given twice
                  bé: {x: 1, x: 2}
                             ^
                  note: first at line 2, column 6
                """)
    }

    @Test func cutsLongLinesAroundTheCaret() throws {
        let wide = String(repeating: "é", count: 100_000)
        let diagnostic = try #require(refusal(of: try parseJSON("[\"\(wide)\", x, \"\(wide)\"]")))
        #expect(diagnostic.mark == Mark(line: 1, column: 100_006))
        let excerpt = try #require(diagnostic.excerpt)
        #expect(excerpt.text.unicodeScalars.count == 122)
        #expect(excerpt.text.hasPrefix("…é"))
        #expect(excerpt.text.hasSuffix("é…"))
        #expect(Array(excerpt.text)[excerpt.caret] == "x")
    }

    @Test func placesMayBeShownInAnyOrder() throws {
        let text = "{a: é1, b: 22}\n\n{c: 3, d: [4]}\n"
        let source = Array("- \(text)- ".utf8)
        let reader = Reader(root: Node(.sequence([]), at: Mark(line: 1, column: 1)), source: source, file: "x")
        let places = [(3, 12, "4"), (1, 14, "2"), (1, 8, "1"), (3, 5, "3"), (1, 7, "é"), (4, 1, "-"), (3, 1, "{")]
        for (line, column, _) in places { reader.warn(Node(.sequence([]), at: Mark(line: line, column: column)), "") }
        let shown = reader.warnings.map { $0.excerpt.map { String(Array($0.text)[$0.caret]) } }
        #expect(shown == places.map(\.2))
    }

    @Test func nothingOfTheFileReachesTheTerminalUnescaped() throws {
        let text = "{\"\u{1B}[31mred\u{202E}\u{2028}\": 1}"
        let diagnostic = try #require(refusal(of: try parseJSON(text)))
        #expect(diagnostic.description.contains(#"{"\u{1b}[31mred\u{202e}\u{2028}": 1}"#))
        let forged = Diagnostic(file: "a\nb", message: "x\u{1B}[0m\rforged", note: "\u{202E}")
        #expect(forged.description == "a\\u{a}b: error: x\\u{1b}[0m\\u{d}forged\n  note: \\u{202e}")
    }

    @Test func theCaretStandsBelowTheColumnAfterEscapes() throws {
        let diagnostic = try #require(refusal(of: try parseJSON("{\"\u{200B}\": x}")))
        let excerpt = try #require(diagnostic.excerpt)
        #expect(excerpt.text == "{\"\\u{200b}\": x}")
        #expect(Array(excerpt.text)[excerpt.caret] == "x")
    }

    @Test func bytesThatAreNotUTF8AreShownReplaced() throws {
        let bytes = Array("a: ".utf8) + [UInt8](repeating: 0x80, count: 5000)
        let diagnostic = try #require(refusal(of: try YAMLDocument.parse(bytes, file: "a")))
        #expect(diagnostic.mark == Mark(line: 1, column: 4))
        #expect((diagnostic.excerpt?.text.count ?? .max) < 400)
    }
}
