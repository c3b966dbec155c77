import Foundation
import KeyValues
import Testing

@Suite struct RedactionTests {
    @Test func whatIsStruckOut() {
        #expect(struck("a hunter2, a hunter22", "hunter2", "hunter22") == "a ***, a ***")
        // The beginning may have been cut off with a part of it.
        #expect(struck("unter2 it was", "hunter2") == "*** it was")
        #expect(struck("many lines\nof\nkey", "lines\nof") == "many ***\nkey")
        #expect(struck("yes", "yes") == "yes")
        #expect(struck("nothing", "") == "nothing")
    }

    private func struck(_ text: String, _ secrets: String...) -> String {
        struck(text, stored(secrets))
    }

    private func struck(_ text: String, _ secrets: StruckSecrets) -> String {
        String(decoding: Redaction.strike(secrets, from: Array(text.utf8)), as: UTF8.self)
    }

    private func stored(_ values: [String]) -> StruckSecrets {
        var secrets = StruckSecrets()
        for value in values { secrets.insert(value) }
        return secrets
    }

    @Test func blanksAtTheEndsOfASecretDoNotSaveIt() {
        #expect(struck("x GeneratedPw-123 y", "GeneratedPw-123\n") == "x *** y")
        #expect(struck("x GeneratedPw-123", " GeneratedPw-123\r\n") == "x ***")
        #expect(struck("all of it", " a\n") == "all of it")
    }

    @Test func linesOfASecretAreStruckOut() {
        let key = "-----BEGIN KEY-----\nMC4CAQAwBQYDK2Vw\n  BCIEIJ1hsZ3v\n}\n-----END KEY-----\n"
        #expect(struck("a MC4CAQAwBQYDK2Vw b BCIEIJ1hsZ3v }", key) == "a *** b *** }")
        #expect(struck(key + "}", key) == "***}")
        // A line is cut off only where much of it is left.
        #expect(struck("AwBQYDK2Vw\nDK2Vw", key) == "***\nDK2Vw")
        #expect(struck("K2Vw", key) == "K2Vw")
    }

    @Test func escapedSecretsAreStruckOut() {
        let secret = "pa\"ss\\wo'rd with/s\u{e9}"
        for text in [
            #"pa\"ss\\wo'rd with/s\u00e9"#, "pa\\\"ss\\\\wo'rd with/s\u{e9}", #"pa"ss\\wo\'rd with/s\u{e9}"#,
            "pa%22ss%5Cwo%27rd%20with/s%C3%A9", "pa%22ss%5Cwo%27rd+with%2Fs%C3%A9", "pa%22ss%5Cwo'rd%20with%2Fs%C3%A9",
        ] {
            let text = text.replacing(#"\u{e9}"#, with: "\u{e9}")
            #expect(struck("{\"pw\": \"\(text)\"}", secret) == "{\"pw\": \"***\"}", "\(text)")
        }
        #expect(struck(#"["l1\nl2"]"#, "l1\nl2\n") == #"["***"]"#)
        #expect(struck(#""a\u003cb\u0001c""#, "a<b\u{1}c") == #""***""#)
    }

    @Test func secretsInBase64AreStruckOut() {
        #expect(struck("x aHVudGVyMg== y", "hunter2") == "x *** y")
        #expect(struck("x aHVudGVyMgo= y", "hunter2") == "x *** y")
        #expect(struck("x fn5-Pz8_ y", "~~~???") == "x *** y")
        // What follows it changes the last group alone.
        #expect(struck("MTIzNDU2Nzg5MDFh", "12345678901") == "***MDFh")
    }

    @Test func theLongestEndAtTheBeginningCounts() {
        #expect(struck("abcab and", "xxabcab") == "*** and")
        #expect(struck("aaaaaa", "aaaaaaaaaa") == "***")
        #expect(struck("aaaabaaaab", "xaaaabaaaabaaaab") == "***")
    }

    @Test func manyLongSecretsTakeNoLongTime() {
        let line = (0..<7000).map { "line-\($0)" }.joined(separator: "\n")
        let output = String(repeating: "line-x", count: 10_000)
        #expect(struck(output, line, String(repeating: "a", count: 60_000)) == output)
    }

    @Test func longSecretsAreStruckOutInEachForm() {
        let secret = (0..<4000).map { "\($0)\"\u{e9}<&" }.joined(separator: ";")
        let json = secret.replacing("\"", with: "\\\"")
        let ascii = json.replacing("\u{e9}", with: "\\u00e9")
        let base64 = Data(secret.utf8).base64EncodedString()
        for form in [secret, json, ascii, base64, base64.replacing("+", with: "-").replacing("/", with: "_")] {
            #expect(struck("a \(form) b", secret) == "a *** b")
            #expect(struck("\(form.suffix(30_000)) b", secret) == "*** b")
            #expect(struck("\(form.suffix(9)) b", secret) == "*** b")
            #expect(struck("a \(form.dropLast(9))b", secret) == "a \(form.dropLast(9))b")
        }
    }

    @Test(.timeLimit(.minutes(2))) func manySecretsOfManyLinesTakeNoLongTime() {
        let line = (0..<4000).map { "\"a\\b<\($0)&e\n" }.joined()
        let secrets = stored((0..<20).map { "\($0) \(line)" })
        #expect(struck(String(repeating: "x", count: 60_000), secrets).allSatisfy { $0 == "x" })
    }

    @Test(.timeLimit(.minutes(2))) func nothingIsShownThatCannotBeSearchedInTime() {
        let half = String(repeating: "x", count: 20_000)
        let secrets = stored((0..<255).map { half + String(repeating: "x", count: $0) + "y" + half })
        let output = struck(half + half + half, secrets)
        #expect(output.hasPrefix("[this output is left out: too much in it is similar to secrets of its job"))
        #expect(output.hasSuffix("]\n"))
    }

    @Test func whereThereAreTooManySecretsNothingIsShown() {
        var secrets = StruckSecrets()
        let fill = String(repeating: "x", count: 65_500)
        for number in 0..<256 { secrets.insert("\(number)\(fill)") }
        #expect(struck("nothing", secrets) == "nothing")
        // The same again is no other.
        for number in 0..<256 { secrets.insert("\(number)\(fill)") }
        #expect(struck("nothing", secrets) == "nothing")
        secrets.insert("one\(fill)")
        let note =
            "[this output is left out: hooks of its job may have seen more than 16 MiB of secrets, earlier values "
            + "included, and no more than that can be struck out]\n"
        #expect(struck("nothing", secrets) == note)
        #expect(struck("", secrets) == "")
        var others = stored(["hunter2"])
        others.formUnion(secrets)
        #expect(struck("hunter2", others) == note && !others.isEmpty)
        #expect(struck("x", .unreadable).contains("the secrets that are to be struck out of it could not be read"))
    }

    @Test func valuesThatWereRefusedAreBoundedAndTakeNothingFromTheOthers() {
        var secrets = stored(["hunter2"])
        secrets.insert(refused: "refused")
        let fill = String(repeating: "x", count: 65_500)
        for number in 0..<1000 { secrets.insert(refused: "\(number)\(fill)") }
        #expect(struck("hunter2 was refused", secrets) == "*** was ***")
    }
}
