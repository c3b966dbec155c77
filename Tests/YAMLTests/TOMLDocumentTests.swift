import Testing
import YAML

private func parse(_ text: String) throws -> TOMLTable { try TOMLDocument.parse(Array(text.utf8), file: "f") }

/// The table on one line: keys in the order of the file.
private func shown(_ table: TOMLTable) -> String {
    "{" + table.entries.map { "\($0.key)=\(shown($0.value))" }.joined(separator: " ") + "}"
}

private func shown(_ value: TOMLValue) -> String {
    switch value {
    case .text(let text): "'\(text)'"
    case .integer(let number): "\(number)"
    case .number(let number): "\(number)"
    case .boolean(let flag): "\(flag)"
    case .list(let values): "[" + values.map(shown).joined(separator: " ") + "]"
    case .table(let table): shown(table)
    }
}

@Suite struct TOMLDocumentTests {
    @Test(arguments: [
        ("", "{}"), ("# only a comment", "{}"), ("\r\n\t# é\r\n", "{}"),
        ("a = 1\nb=-17\nc=+0\nd=1_000\ne=0xFf_0\nf=0o17\ng=0b101", "{a=1 b=-17 c=0 d=1000 e=4080 f=15 g=5}"),
        ("a = 9223372036854775807\nb = -9223372036854775808", "{a=9223372036854775807 b=-9223372036854775808}"),
        ("a = 1.5\nb=-1e3\nc=6.2_5E-1\nd=inf\ne=-inf\nf=+nan", "{a=1.5 b=-1000.0 c=0.625 d=inf e=-inf f=nan}"),
        ("a = true\nb = false", "{a=true b=false}"),
        (#"a = "\"\\\b\t\u00e9\U0001F600""#, "{a='\"\\\u{8}\té😀'}"), (#"a = '\n"'"#, "{a='\\n\"'}"),
        ("a = \"\"\"\nx\r\n\\\n   y \"\" z\"\"\"\"", "{a='x\ny \"\" z\"'}"),
        ("a = '''\r\n'x''y'''''", "{a=''x''y'''}"), ("a = \"\"\"\"\"\"\nb = ''", "{a='' b=''}"),
        ("a = [ 1, # one\r\n 2,\n]\nb = [[], ['x', true]]", "{a=[1 2] b=[[] ['x' true]]}"),
        ("a = {x = 1, y.z = {}, 'q w' = [{b=2}]}", "{a={x=1 y={z={}} q w=[{b=2}]}}"),
        ("\"a.b\".c-d . 1_ = 1\n-.'' = 2", "{a.b={c-d={1_=1}} -={=2}}"),
        ("[ a . b ]\nx=1\n[a]\ny=2\n[a.c]", "{a={b={x=1} y=2 c={}}}"),
        ("[[t]]\nn=1\n[t.u]\nv=1\n[[t]]\n[[t.w]]\n[[t.w]]\nx=1", "{t=[{n=1 u={v=1}} {w=[{} {x=1}]}]}"),
        ("[f]\na.b=1\na.c.d=2\n[f.a.e]\ng=3", "{f={a={b=1 c={d=2} e={g=3}}}}"),
    ])
    func reads(_ text: String, _ expected: String) throws { #expect(shown(try parse(text)) == expected) }

    /// What ended the process in a parser that this one replaces is among these.
    @Test(arguments: [
        ("a = 1979-05-27Tx:", 1, 5, "dates and times"), ("a = 1979-05-27 0", 1, 5, "dates and times"),
        ("a = 07:32:00", 1, 5, "dates and times"), ("[.a]", 1, 2, "expected a key"),
        ("a = 1\n[[.", 2, 3, "expected a key"),
        ("[", 1, 2, "the file ends"), ("[[a]\nb", 1, 4, "expected \"]]\""), ("[a", 1, 3, "the file ends"),
        ("a\n", 1, 2, "the line ends where \"=\""), ("a =\n", 1, 4, "the line ends where a value"),
        ("a = 1 b", 1, 7, "the end of the line"), ("a = 1\rb = 2", 1, 6, "the end of the line"),
        ("é = 1", 1, 1, "expected a key, found \"é\""), ("a = \u{a0}1", 1, 5, "expected a value"),
        ("x = \"é\" é", 1, 9, "the end of the line"), ("a = 1\n\n[]", 3, 2, "expected a key"),
        ("a = [1 2]", 1, 8, "\",\" or \"]\""), ("a = [,]", 1, 6, "expected a value"),
        ("a = [\n1,", 2, 3, "the file ends"),
        ("a = {b = 1,}", 1, 12, "expected a key"), ("a = {\nb = 1}", 1, 6, "the line ends where a key"),
        ("a = {b = 1\n}", 1, 11, "on the same line"), ("a = \"b", 1, 5, "no closing quote"),
        ("a = 'b\n'", 1, 5, "no closing quote"), ("a = \"\"\"b\"\"", 1, 5, "no closing quotes"),
        ("a = \"\\x41\"", 1, 6, "unknown escape"), ("a = \"\\uD800\"", 1, 6, "stands for no character"),
        ("a = \"\\U00110000\"", 1, 6, "stands for no character"), ("a = \"\\u12\"", 1, 6, "4 hexadecimal digits"),
        ("a = \"b\\u0000c\"", 1, 7, "a NUL"), ("\"x\\U00000000\" = 2", 1, 3, "a NUL"),
        ("a = '\u{1b}'", 1, 6, "control"),
        ("a = 1 # \u{7f}", 1, 9, "control"), ("a = 01", 1, 5, "may not begin with 0"), ("a = 1__0", 1, 5, "no value"),
        ("a = 0x", 1, 5, "no value"), ("a = +0x1", 1, 5, "no value"), ("a = 1.", 1, 5, "no value"),
        ("a = .5", 1, 5, "no value"), ("a = 1e", 1, 5, "no value"), ("a = yes", 1, 5, "no value"),
        ("a = 9223372036854775808", 1, 5, "too large"), ("a = 1e999", 1, 5, "too large"),
        ("a = 0xffffffffffffffff", 1, 5, "too large"), ("a = 1\na = 2", 2, 1, "given twice"),
        ("a.b = 1\na = 2", 2, 1, "given twice"), ("a = 1\na.b = 2", 2, 1, "given twice"),
        ("[a]\n[a]", 2, 2, "given twice"), ("[a.b]\nc=1\n[a]\nb.d=1", 4, 1, "given twice"),
        ("a.b = 1\n[a]", 2, 2, "given twice"), ("a = {}\n[a.b]", 2, 2, "given twice"),
        ("a = {b = 1}\na.c = 2", 2, 1, "given twice"), ("a = []\n[[a]]", 2, 3, "given twice"),
        ("[[a]]\n[a]", 2, 2, "given twice"), ("[a]\n[[a]]", 2, 3, "given twice"),
        ("\"\u{e9}\" = 1\n\"e\u{301}\" = 2", 2, 1, "in two spellings of Unicode"),
        ("\u{feff}a = 1", 1, 1, "byte order mark"), ("a = 1\n\u{0}", 2, 1, "NUL byte"),
    ])
    func refuses(_ text: String, _ line: Int, _ column: Int, _ message: String) {
        let error = #expect(throws: InputFailure.self) { try parse(text) }
        #expect(error?.diagnostics.first?.mark == Mark(line: line, column: column), "\(error?.description ?? "")")
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }

    @Test func bytesHaveToBeUTF8() {
        let error = #expect(throws: InputFailure.self) { try TOMLDocument.parse([0x61, 0x3d, 0xff], file: "f") }
        #expect(error?.description.hasPrefix("f:1:3: error: byte 0xff is not valid UTF-8 here") == true)
    }

    /// Depth costs neither the stack nor time, whichever way it is written. (A text is not an argument as it is: logs name
    /// arguments.)
    @Test(arguments: [
        ("[", "a.", 200_000, "a]"), ("", "a.", 200_000, "a = 1"), ("a = ", "[", 200_000, ""),
        ("a = ", "{a=", 200_000, ""),
        ("a = ", "[{a=", 200_000, ""), ("a = ", "{a.a.a.a=", 200_000, ""), ("", "[[a]]\n", 200_001, ""),
        ("a = [", "1,", 200_001, "]"), ("a = \"", "x", 1 << 21, "\""), ("", "#", (4 << 20) + 1, ""),
    ])
    func sizeIsBounded(_ begin: String, _ piece: String, _ count: Int, _ end: String) {
        let text = begin + String(repeating: piece, count: count) + end
        let error = #expect(throws: InputFailure.self) { try parse(text) }
        #expect(error?.diagnostics.first?.mark != nil)
    }

    @Test func marksAreThoseOfKeys() throws {
        let table = try parse("a = 1\n  \"é\".b = 2\n[ t ]\nu = 3")
        #expect(table["a"]?.mark == Mark(line: 1, column: 1) && table["é"]?.mark == Mark(line: 2, column: 3))
        #expect(table["t"]?.mark == Mark(line: 3, column: 3) && table["none"]?.mark == nil)
        #expect(table.keys == ["a", "t", "é"])
    }
}
