import Testing

@testable import Review

@Suite struct EscapingTests {
    @Test(arguments: [
        ("a", "`a`"), ("a`b", "``a`b``"), ("`", "`` ` ``"), ("``x", "``` ``x ```"), ("", "(empty)"), (" ", "` `"),
        (" a ", "`  a  `"), ("a\nb", "`a\\u{a}b`"),
    ]) func codeSpans(_ text: String, _ code: String) {
        #expect(Escaping.code(text) == code)
        #expect(MarkdownCode.removed(from: code) == (text.isEmpty ? code : ""))
    }

    @Test func fencesAreLongerThanAnythingInThem() {
        #expect(Escaping.fence(for: ["a", " ```` b"]) == "`````")
        #expect(Escaping.fence(for: []) == "```")
    }

    @Test func entities() {
        #expect(
            Escaping.html("<a b=\"c\" d='e'>&amp;\u{1b}") == "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;\\u{1b}")
    }

    @Test func marksPileUpToThree() {
        #expect(Escaping.terminal("e\u{301}\u{301}\u{301}\u{301}x\u{301}") == "e\u{301}\u{301}\u{301}\\u{301}x\u{301}")
    }

    @Test func spacesAndLengthAreLimitedInNamesOnly() {
        #expect(Escaping.terminal("a    b") == "a  \\u{20}\\u{20}b")
        #expect(Escaping.line("\ta    b", limit: 9) == "\ta    b")
        #expect(
            Escaping.terminal(String(repeating: "x", count: 301)) == String(repeating: "x", count: 300)
                + "… (1 more character)")
    }

    @Test func brokenLinesAreIndentedAndKeepTheirColours() {
        let style = Style(hasColor: true)
        let line = "  " + style(.start, "abcdefghij")
        #expect(Style.broken(line, width: 8, indent: 2) == "  \u{1b}[32mabcdef\n  ↳ ghij\u{1b}[0m")
        #expect(Style.broken("short", width: 8, indent: 2) == "short")
    }
}
