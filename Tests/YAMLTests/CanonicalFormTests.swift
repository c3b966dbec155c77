import Testing
import YAML

@Suite struct CanonicalFormTests {
    private func difference(_ text: String, _ canonical: String) -> Diagnostic? {
        do throws(InputFailure) {
            try CanonicalForm.require(Array(text.utf8), equals: Array(canonical.utf8), file: "plan.yaml")
            return nil
        } catch {
            return error.diagnostics.first
        }
    }

    @Test func equalFilesPass() {
        #expect(difference("a: 1\n", "a: 1\n") == nil)
    }

    @Test(arguments: [
        ("a: 1\nb: \"x\"\n", 2, 4), ("a: 1  # why\nb: x\n", 1, 5), ("a: 1\nb: x", 2, 5), ("a: 1\nb: x\n\n", 3, 1),
        ("a: 1\n", 2, 1), ("\na: 1\nb: x\n", 1, 1),
    ])
    func theFirstDifferenceIsShown(_ text: String, line: Int, column: Int) {
        #expect(difference(text, "a: 1\nb: x\n")?.mark == Mark(line: line, column: column))
    }

    @Test func aDifferenceInsideACharacterIsAtThatCharacter() throws {
        let diagnostic = try #require(difference("a: \"xé\"\n", "a: \"xè\"\n"))
        #expect(
            diagnostic.description == """
                plan.yaml:1:6: error: the file is not in the form that the program writes
                  a: "xé"
                       ^
                  note: it would be written: a: "xè"
                """)
    }

    @Test(arguments: [
        ("a: 1\n\n", "it would end here"), ("a: 1\n# why\n", "it would end here"),
        ("a: 1", "its last line would end with a line feed"), ("a: 2\n", "it would be written: a: 1"),
        ("", "it would be written: a: 1"),
    ])
    func theNoteSaysWhatWouldStandThere(_ text: String, note: String) {
        #expect(difference(text, "a: 1\n")?.note == note)
    }
}
