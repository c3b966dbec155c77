import Testing

@testable import YAML

@Suite struct VisibleTextTests {
    @Test func escapesWhatDoesSomething() {
        #expect(VisibleText.escape("plain \\ text é 日本 🙂", for: .terminal) == "plain \\ text é 日本 🙂")
        #expect(
            VisibleText.escape("a\tb\r\n\u{1B}]0;x\u{7}\u{9B}", for: .terminal)
                == #"a\u{9}b\u{d}\u{a}\u{1b}]0;x\u{7}\u{9b}"#)
        #expect(
            VisibleText.escape("\u{202E}\u{2066}\u{200F}\u{FEFF}\u{200D}\u{2028}\u{A0}", for: .terminal)
                == #"\u{202e}\u{2066}\u{200f}\u{feff}\u{200d}\u{2028}\u{a0}"#)
    }

    /// The table is our own so that plans do not change with a toolchain; it must not lack what Unicode calls hidden.
    @Test func theTableAgreesWithUnicode() {
        var wrong: [String] = []
        for value in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let properties = scalar.properties
            let isHidden =
                switch properties.generalCategory {
                case .control, .format, .lineSeparator, .paragraphSeparator: true
                case .spaceSeparator: scalar != " "
                default: properties.isDefaultIgnorableCodePoint || properties.isNoncharacterCodePoint || value == 0x2800
                }
            if isHidden != VisibleText.isHidden(scalar) { wrong.append(String(value, radix: 16)) }
        }
        #expect(wrong == [])
    }

    @Test func suggestsWhatWasMeant() {
        let fields = ["selectors", "version", "health_check", "max_concurrent_starts"]
        #expect(Suggestion.nearest(to: "selector", among: fields) == "selectors")
        #expect(Suggestion.nearest(to: "Version", among: fields) == "version")
        #expect(Suggestion.nearest(to: "health-check", among: fields) == "health_check")
        #expect(Suggestion.nearest(to: "vresion", among: fields) == "version")
        #expect(Suggestion.nearest(to: "colour", among: fields) == nil)
        #expect(Suggestion.nearest(to: "", among: fields) == nil)
    }
}
