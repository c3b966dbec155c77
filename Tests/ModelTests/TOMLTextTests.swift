import Model
import Testing
import YAML

@Suite struct TOMLTextTests {
    @Test(arguments: [
        ("[.a]", 1, 2), ("a = 1\n[[.", 2, 3), ("[ ]", 1, 3), ("[é]", 1, 2), ("a = \"[\" # [\n [%]", 2, 3),
        ("a = [\n1,\n]\n[=]", 4, 2), ("a = '[\n[.]", 2, 2),
        ("a = 1\u{c}[.", 1, 6), ("\u{a0}[.", 1, 1), ("a = [\"\"\"x\"\"\"\"]\n[.]", 2, 2), ("a = 1\rb = 2", 1, 6),
        ("a = [}", 1, 6), ("a = {b = 1]", 1, 11),
        ("a = \"b\\u0000c\"", 1, 7), ("a = 1\n\"x\\U00000000\" = 2", 2, 3),
    ])
    func whatTheParserDoesNotSurviveIsRefused(_ text: String, _ line: Int, _ column: Int) {
        let error = #expect(throws: InputFailure.self) { try TOMLText.decode(Array(text.utf8), file: "f") }
        #expect(error?.diagnostics.first?.mark == Mark(line: line, column: column))
    }

    @Test(arguments: [
        "[a]\nb = 1", "[[ \"a\" ]]", "a = [\n[.5],\n[ {b = 1} ]\n]", "a = \"\"\"\n[.a]\n\"\"\"", "a = '''\n[.\n'''",
        "a = \"\\\"[\"\n# [.a]", "[", "[[", "\"é\" = \"é\" # é\r\n",
        "a = \"\\\\u0000\"", "a = '\\u0000'",
    ])
    func everythingElseIsForTheParser(_ text: String) throws {
        #expect(try TOMLText.decode(Array(text.utf8), file: "f") == text)
    }
}
