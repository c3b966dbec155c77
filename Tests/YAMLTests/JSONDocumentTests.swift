import Testing
import YAML

@Suite struct JSONDocumentTests {
    @Test func givesTheNodesOfTheSameYAML() throws {
        let text = """
            {
              "name": "api", "port": 80, "é": [true, false, null, -1.5e+3, ""],
              "nested": {"a": {}, "b": []}
            }
            """
        let json = try parseJSON(text)
        let yaml = try parseYAML(text)
        #expect(Self.flatten(json) == Self.flatten(yaml))
        #expect(json["é", 3]?.mark == Mark(line: 2, column: 55))
        #expect(json["é", 3]?.kind == .number)
        #expect(json["port"]?.kind == .number)
        #expect(json["name"]?.kind == .text)
    }

    /// Every node with its mark, in the order of the text.
    private static func flatten(_ node: Node) -> [String] {
        let here = "\(node.mark.line):\(node.mark.column) \(node.kind) \(node.text ?? "")"
        switch node.value {
        case .scalar: return [here]
        case .sequence(let elements): return [here] + elements.flatMap(flatten)
        case .mapping(let entries): return [here] + entries.flatMap { flatten($0.key) + flatten($0.value) }
        }
    }

    @Test func linesMayEndWithCRLF() throws {
        let root = try parseJSON("{\r\n  \"a\": 1,\r\n  \"b\": 2\r\n}\r\n")
        #expect(root["b"]?.mark == Mark(line: 3, column: 8))
        let diagnostic = refusal(of: try parseJSON("{\r\n\"a\": x\r\n}"))
        #expect(diagnostic?.excerpt?.text == "\"a\": x")
    }

    @Test func escapesAreRead() throws {
        let node = try parseJSON(#""\"\\\/\b\f\n\r\tA\u00e9\u20AC\uD83D\ude00 é\u0000""#)
        #expect(node.text == "\"\\/\u{8}\u{C}\n\r\tAé€😀 é\0")
    }

    @Test(arguments: [
        (#"{"a": 1, "a": 2}"#, 1, 10, "given twice"), ("[1, 2,]", 1, 6, "comma"), (#"{"a": 1,}"#, 1, 8, "comma"),
        ("[1] // x", 1, 5, "the end of the file"), ("/* x */ 1", 1, 1, "expected a value"), ("[1\n 2]", 2, 2, "\",\""),
        ("1 2", 1, 3, "the end of the file"), ("01", 1, 1, "begin with 0"), ("-01", 1, 1, "begin with 0"),
        ("[+1]", 1, 2, "expected a value"), ("1.", 1, 3, "a digit"), ("[.5]", 1, 2, "expected a value"),
        ("1e", 1, 3, "a digit"), ("-", 1, 2, "a digit"), ("nul", 1, 1, "expected a value"), ("True", 1, 1, "a value"),
        ("NaN", 1, 1, "a value"), ("nullx", 1, 5, "the end of the file"), ("'a'", 1, 1, "a value"), ("", 1, 1, "empty"),
        (" \n ", 2, 2, "the file ends"), ("[1", 1, 3, "the file ends"), (#"{"a""#, 1, 5, "the file ends"),
        (#"{"a": "#, 1, 7, "the file ends"), ("{a: 1}", 1, 2, "a key in double quotes"), ("{1: 1}", 1, 2, "a key"),
        (#"{"a" 1}"#, 1, 6, "\":\""), ("\"a", 1, 1, "no closing quote"), ("\"é\n\"", 1, 3, "line end"),
        ("\"\u{1F}\"", 1, 2, "control"), (#""\x41""#, 1, 2, "unknown escape"), (#""\u12g4""#, 1, 2, "four hexadecimal"),
        (#"["é\ud800"]"#, 1, 4, "surrogate"), (#""\udc00""#, 1, 2, "surrogate"),
        (#""\ud800\u0041""#, 1, 2, "surrogate"),
        (#""\ud800x""#, 1, 2, "surrogate"), ("\u{FEFF}1", 1, 1, "byte order mark"), ("1\u{0}", 1, 2, "NUL"),
        ("[1}", 1, 3, "\"]\""), (#"{"a": 1]"#, 1, 8, "\"}\""), ("]", 1, 1, "a value"), ("[,1]", 1, 2, "a value"),
        ("[1,,2]", 1, 4, "a value"), ("\u{A0}1", 1, 1, "a value"), ("\"\\", 1, 1, "no closing quote"),
    ])
    func refuses(_ text: String, line: Int, column: Int, message: String) throws {
        let diagnostic = try #require(refusal(of: try parseJSON(text)))
        #expect(diagnostic.mark == Mark(line: line, column: column), "\(diagnostic)")
        #expect(diagnostic.message.contains(message), "\(diagnostic)")
    }

    @Test func depthIsLimited() throws {
        let nested = { (depth: Int) in String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
        #expect(throws: Never.self) { try parseJSON(nested(32)) }
        #expect(refusal(of: try parseJSON(nested(33)))?.mark == Mark(line: 1, column: 33))
    }
}
