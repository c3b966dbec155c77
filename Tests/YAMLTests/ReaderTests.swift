import Testing
import YAML

@Suite struct ReaderTests {
    private func messages(_ reader: Reader) -> [String] {
        do throws(InputFailure) {
            try reader.check()
            return []
        } catch {
            return error.diagnostics.map { diagnostic in
                let mark = diagnostic.mark.map { "\($0.line):\($0.column) " } ?? ""
                return mark + diagnostic.message + (diagnostic.note.map { " (\($0))" } ?? "")
            }
        }
    }

    @Test func reportsEverythingInTheOrderOfTheFile() throws {
        let reader = try reader("selector: [a]\nport: x\nname: 1.0\nforce: yes\nextra: {}\n")
        var fields = try #require(reader.mapping(reader.root))
        #expect(fields.required("version") == nil)
        #expect(fields.optional("selectors") == nil)
        #expect(fields.required("port").flatMap { reader.integer($0, in: 0...100) } == nil)
        #expect(fields.required("name").flatMap(reader.string) == nil)
        #expect(fields.required("force").flatMap(reader.boolean) == nil)
        fields.finish()
        #expect(
            messages(reader) == [
                "1:1 the field `version` is missing",
                "1:1 unknown field \"selector\" (did you mean `selectors`?)",
                "2:7 expected a whole number from 0 to 100, found the text \"x\"",
                "3:7 expected a text, found the number 1.0 (put it in double quotes)",
                "4:8 expected true or false, found yes",
                "5:1 unknown field \"extra\"",
            ])
    }

    private enum Action: String, CaseIterable {
        case start, restart, runTarget = "run_target"
    }

    @Test func choicesNameWhatIsAllowed() throws {
        let reader = try reader("- run_target\n- restrat\n- {}\n- start\n")
        let nodes = try #require(reader.sequence(reader.root))
        #expect(nodes.map { reader.choice($0, of: Action.self) } == [.runTarget, nil, nil, .start])
        #expect(
            messages(reader) == [
                "2:3 expected start, restart or run_target, found the text \"restrat\" (did you mean `restart`?)",
                "3:3 expected start, restart or run_target, found a mapping",
            ])
    }

    @Test func readsWhatIsRight() throws {
        let reader = try reader("a: text\nb: \"1\"\nc: -3\nd: false\ne: null\nf: [1, 2]\ng: 1.2.3\nh: \"\"\ni: -0\n")
        var fields = try #require(reader.mapping(reader.root))
        // The order of asking is free, and asking twice is fine.
        #expect(fields.optional("f").flatMap(reader.sequence)?.count == 2)
        #expect(fields.required("a").flatMap(reader.string) == "text")
        #expect(fields.required("a").flatMap(reader.string) == "text")
        #expect(fields.required("b").flatMap(reader.string) == "1")
        #expect(fields.required("c").flatMap { reader.integer($0, in: -3...3) } == -3)
        #expect(fields.required("d").flatMap(reader.boolean) == false)
        #expect(fields.required("e").map(reader.isNull) == true)
        #expect(fields.required("g").flatMap(reader.string) == "1.2.3")
        #expect(fields.required("h").flatMap(reader.string) == "")
        #expect(fields.required("i").flatMap { reader.integer($0, in: 0...1) } == 0)
        #expect(fields.optional("absent") == nil)
        fields.finish()
        #expect(messages(reader) == [])
    }

    @Test(arguments: [
        "1.0", "1e3", "01", "+1", "0x1", "1_0", "--1", "-x", "-01", "", "~", "a", "\"1\"", "[]", "101", "-1", "true",
        "99999999999999999999",
    ])
    func refusesWhatIsNotAWholeNumberInRange(_ text: String) throws {
        let reader = try reader("a: \(text)")
        let node = try #require(reader.root["a"])
        #expect(reader.integer(node, in: 0...100) == nil)
        #expect(reader.hasErrors)
    }

    @Test(arguments: [
        "", "~", "null", "NULL", "yes", "No", "on", "OFF", "y", "N", "True", "false", "1", "-1", "+1", "1.", ".5",
        "1e3",
        "1_000", "0x1F", "0o17", "0b11", "017", "1:30", "190:20:30.5", ".inf", "-.INF", ".NaN", "{}", "[]",
    ])
    func refusesWhatAYAMLReaderMayTakeForSomethingElse(_ text: String) throws {
        let reader = try reader("a: \(text)")
        let node = try #require(reader.root["a"])
        #expect(reader.string(node) == nil)
        #expect(reader.hasErrors)
    }

    @Test func mappingsOfAnySizeKnowWhatWasAskedFor() throws {
        let reader = try reader((0..<200).map { "k\($0): \($0)\n" }.joined())
        var fields = try #require(reader.mapping(reader.root))
        for index in (0..<200).reversed() where index != 70 && index != 150 {
            #expect(fields.required("k\(index)") != nil)
        }
        fields.finish()
        #expect(messages(reader) == ["71:1 unknown field \"k70\"", "151:1 unknown field \"k150\""])
    }

    @Test func keepsABoundedNumberOfErrors() throws {
        let reader = try reader((0..<250).map { "- \($0)\n" }.joined())
        for node in try #require(reader.sequence(reader.root)) {
            _ = reader.string(node)
            reader.warn(node, "old")
        }
        #expect(reader.warnings.count == 100)
        do throws(InputFailure) {
            try reader.check()
            Issue.record("accepted")
        } catch {
            #expect(error.diagnostics.count == 100)
            #expect(error.description.hasSuffix("and 150 more errors"))
        }
    }

    @Test func warningsRefuseNothing() throws {
        let reader = try reader("a: 1")
        reader.warn(reader.root, "`a` is an older name", note: "use `b`")
        try reader.check()
        #expect(
            reader.warnings.map(\.description) == [
                "plan.yaml:1:1: warning: `a` is an older name\n  a: 1\n  ^\n  note: use `b`"
            ])
    }
}
