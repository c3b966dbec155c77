import Testing
import YAML

@Suite struct YAMLDocumentTests {
    @Test func positionsAreThoseOfAnEditor() throws {
        let root = try parseYAML("a: 1\nb:\n  - {c: x, \"é🇩🇪\": y}\n  -   deep:\n        z: |\n          text\n")
        #expect(root.mark == Mark(line: 1, column: 1))
        #expect(root["a"]?.mark == Mark(line: 1, column: 4))
        #expect(root["b"]?.mark == Mark(line: 3, column: 3))
        #expect(root["b", 0]?.mark == Mark(line: 3, column: 5))
        #expect(root["b", 0, "c"]?.mark == Mark(line: 3, column: 9))
        // é is one scalar, the flag two.
        #expect(root["b", 0, "é🇩🇪"]?.mark == Mark(line: 3, column: 19))
        #expect(root["b", 1, "deep", "z"]?.mark == Mark(line: 5, column: 12))
    }

    @Test func quotesDecideWhatAScalarMeans() throws {
        let root = try parseYAML("- 1\n- \"1\"\n- '1'\n- |-\n  1\n-\n")
        let kinds = (0..<5).map { root[.index($0)]?.kind }
        #expect(kinds == [.number, .text, .text, .text, .null])
        #expect(root[1]?.text == "1")
    }

    @Test(arguments: [
        ("a: &x 1", 1, 4, "anchors"), ("a: *x", 1, 4, "aliases"), ("a: !!str 1", 1, 4, "tags"),
        ("a: ! 1", 1, 4, "tags"),
        ("a: !x {}", 1, 4, "tags"), ("a: &x []", 1, 4, "anchors"), ("%YAML 1.1\n---\na: 1", 1, 1, "directives"),
        ("%TAG ! x\n---\na: 1", 1, 1, "directives"), ("a: 1\n---\nb: 2", 2, 1, "second document"),
        ("a: 1\n...\n---\n", 3, 1, "second document"), ("", 1, 1, "empty"), ("# nothing\n", 1, 1, "no document"),
        ("a: 1\nb: 2\n\"a\": 3", 3, 1, "given twice"), ("{x: {k: 1, k: 2}}", 1, 12, "given twice"),
        ("? [a]\n: 1", 1, 3, "a key has to be a text"), ("{a: 1}: b", 1, 1, "a key has to be a text"),
        ("{a: 1, ? : 2}", 1, 10, "key is missing"), ("a: 1\n: 2", 2, 1, "expected key"), ("a: \u{0}", 1, 4, "NUL"),
        ("\u{FEFF}a: 1", 1, 1, "byte order mark"),
        ("a: 1\r\nb: 2", 1, 5, "carriage return"), ("é: \u{85}", 1, 4, "U+0085"), ("é: \"\u{2028}\"", 1, 5, "U+2028"),
        ("a: \u{1B}[0m", 1, 4, "U+001B"), ("a: b\n c: d", 2, 3, "not valid YAML"), ("a: [1, 2", 1, 9, "not valid YAML"),
        ("a:\n\t- b", 2, 1, "not valid YAML"), ("a: \"b", 1, 6, "not valid YAML"),
        ("a: \"\\q\"", 1, 5, "not valid YAML"),
    ])
    func refuses(_ text: String, line: Int, column: Int, message: String) throws {
        let diagnostic = try #require(refusal(of: try parseYAML(text)))
        #expect(diagnostic.mark == Mark(line: line, column: column), "\(diagnostic)")
        #expect(diagnostic.message.contains(message), "\(diagnostic)")
        #expect(diagnostic.description.hasPrefix("plan.yaml:\(line):\(column): error: "))
    }

    @Test(
        arguments: [
            [0x61, 0xFF], [0x61, 0xC3], [0x61, 0xC0, 0x80], [0x61, 0xED, 0xA0, 0x80], [0x61, 0xF4, 0x90, 0x80, 0x80],
            [0x61, 0x80], [0x61, 0xE2, 0x82], [0x61, 0xE2, 0x28, 0xA1], [0x61, 0xF0, 0x80, 0x80, 0x80],
        ] as [[UInt8]])
    func refusesWhatIsNotUTF8(_ bytes: [UInt8]) throws {
        for diagnostic in [
            refusal(of: try YAMLDocument.parse(bytes, file: "a")),
            refusal(of: try JSONDocument.parse(bytes, file: "a")),
        ] {
            #expect(diagnostic?.mark == Mark(line: 1, column: 2))
            #expect(diagnostic?.message.contains("UTF-8") == true)
        }
    }

    @Test func aDoubleKeyNamesBothPlaces() throws {
        let many = (0..<40).map { "k\($0): \($0)\n" }.joined()
        let diagnostic = try #require(refusal(of: try parseYAML(many + "  \n# c\nk7: 1\n")))
        #expect(diagnostic.mark == Mark(line: 43, column: 1))
        #expect(diagnostic.note == "first at line 8, column 1")
    }

    @Test func limitsHold() throws {
        var limits = InputLimits.standard
        limits.depth = 3
        #expect(throws: Never.self) { try parseYAML("a: [[1]]", limits: limits) }
        #expect(refusal(of: try parseYAML("a: [[[1]]]", limits: limits))?.mark == Mark(line: 1, column: 6))
        limits.nodes = 5
        #expect(throws: Never.self) { try parseYAML("[1, 2, 3, 4]", limits: limits) }
        #expect(refusal(of: try parseYAML("[1, 2, 3, 4, 5]", limits: limits))?.mark == Mark(line: 1, column: 14))
        limits.scalarBytes = 3
        #expect(throws: Never.self) { try parseYAML("abc", limits: limits) }
        #expect(refusal(of: try parseYAML("abcd", limits: limits))?.message.contains("3 bytes") == true)
        limits.bytes = 4
        #expect(refusal(of: try parseYAML("[1, 2]", limits: limits))?.message.contains("at most 4") == true)
    }

    @Test(arguments: [
        "[", "{", "- ", "? ", "[{a: ", "{\"a\":[", "\"", "'", "a: ", "|\n ", "*", "&a ", "!a ", ",", "#", "\t",
    ])
    func floodsEndQuickly(_ piece: String) {
        let flood = String(repeating: piece, count: 300_000)
        for parse in [parseYAML, parseJSON] { _ = try? parse(flood, .standard) }
    }
}
