import KeyValues
import Testing

@Suite struct RedactionTests {
    @Test func whatIsStruckOut() {
        func struck(_ text: String, _ secrets: String...) -> String {
            String(decoding: Redaction.strike(secrets, from: Array(text.utf8)), as: UTF8.self)
        }
        #expect(struck("a hunter2, a hunter22", "hunter2", "hunter22") == "a ***, a ***")
        // The beginning may have been cut off with a part of it.
        #expect(struck("unter2 it was", "hunter2") == "*** it was")
        #expect(struck("many lines\nof\nkey", "lines\nof") == "many ***\nkey")
        #expect(struck("yes", "yes") == "yes")
        #expect(struck("nothing", "") == "nothing")
    }
}
