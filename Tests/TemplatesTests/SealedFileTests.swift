import Model
import Testing
import YAML

@testable import Templates

extension SecretReference {
    /// The secret of this key, of the job `api`.
    static func test(_ key: String, digit: Character = "a") throws(TemplateRefusal) -> SecretReference {
        guard let job = JobName("api"), let fingerprint = SecretFingerprint(hex: String(repeating: digit, count: 64))
        else { throw TemplateRefusal("no reference") }
        return SecretReference(name: SecretName(job: job, key: key), fingerprint: fingerprint)
    }
}

private func sealed(_ text: String) throws -> SealedFile {
    guard case .sealed(let file) = try Template(Array(text.utf8)).render(data, values: Values()) else {
        throw TemplateRefusal("no secret in it")
    }
    return file
}

@Suite struct SealedFileTests {
    /// A template gives the same text with the value as if it had known it from the beginning.
    @Test(arguments: [
        ("pw={{ getSecret \"pw\" }}\n", "pw=Se-cret \"1\"\n"),
        (#"{{ getSecret "pw" | printf "%s:%q" "u" }}"#, #"u:"Se-cret \"1\"""#),
        (#"{{ $x := upper (getSecret "pw") }}{{ $x }}{{ $x }}"#, #"SE-CRET "1"SE-CRET "1""#),
        (#"{{ if getSecret "pw" }}yes{{ end }}{{ getSecret "pw" | lower }}"#, #"yesse-cret "1""#),
        (#"{{ println (getSecret "pw") 3 true .Labels }}"#, "Se-cret \"1\" 3 true [a b]\n"),
        (#"{{ with getSecret "pw" }}{{ . }}{{ end }}{{ not (getSecret "pw") }}"#, #"Se-cret "1"false"#),
        (#"{{ and .WorkerIP (getSecret "pw") }}-{{ or (getSecret "pw") "x" }}"#, #"Se-cret "1"-Se-cret "1""#),
        (#"{{ print 1 2 (getSecret "pw") 3 4 .Labels }}"#, #"1 2Se-cret "1"3 4 [a b]"#),
        (#"{{ printf "%x %v" (getSecret "pw") .Labels }}"#, "53652d6372657420223122 [a b]"),
        (#"{{ printf "%12s|" (getSecret "pw") }}{{ trim (getSecret "pw") }}"#, #" Se-cret "1"|Se-cret "1""#),
    ]) func rendersWithTheValue(_ template: String, _ expected: String) throws {
        let file = try sealed(template)
        let bytes = try file.render { secret in
            #expect(secret.name.key == "pw")
            return #"Se-cret "1""#
        }
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
        #expect(!String(decoding: file.bytes, as: UTF8.self).lowercased().contains("se-cret"))
        #expect(SealedFile(bytes: file.bytes) == file)
    }

    /// What only the value could tell is refused, and never another text.
    @Test(arguments: [
        (#"{{ if eq (getSecret "pw") "x" }}{{ end }}"#, "`eq` would need the value of a secret"),
        (#"{{ len (getSecret "pw") }}"#, "`len` would need"), (#"{{ split (getSecret "pw") "," }}"#, "`split` would"),
        (#"{{ int (getSecret "pw") }}"#, "`int` would need"), (#"{{ join .Labels (getSecret "pw") }}"#, "`join` would"),
        (#"{{ if trim (getSecret "pw") }}{{ end }}"#, "whether this is empty depends on the value"),
        (#"{{ range getSecret "pw" }}{{ end }}"#, "`range` goes over a list"),
        (#"{{ printf "%d" (getSecret "pw") }}"#, "cannot show a text as `%d`"),
        (#"{{ printf (getSecret "pw") }}"#, "as its format"),
        (#"{{ printf "%q %s" .Labels (getSecret "pw") }}"#, "knows only `%s` and `%v`"),
        (#"{{ html (getSecret "pw") }}"#, "`html` would need"), (#"{{ slice (getSecret "pw") 1 }}"#, "`slice` would"),
        (#"{{ get (getSecret "pw") "x" }}"#, "`get` would need"), (#"{{ getSecret "none" }}"#, "no secret"),
    ]) func refusesWhatDependsOnTheValue(_ template: String, _ message: String) throws {
        do throws(TemplateProblem) {
            _ = try Template(Array(template.utf8)).render(data, values: Values())
            Issue.record("rendered")
        } catch {
            #expect(error.message.contains(message))
        }
    }

    /// What an earlier release has written down: it gives the same bytes as there.
    @Test func sealedTextsOfEarlierReleases() throws {
        let secret = "secret \(String(repeating: "a", count: 64)) secrets/job/api pw\n"
        let parts = [
            "call print 3\nnumber 1\nnumber 2\n" + secret, "call printf 2\ntext 4\n|%q|\n" + secret,
            "call println 2\n" + secret + "boolean true\n", "call upper 1\n" + secret,
        ]
        let bytes = Array(("maand-sealed-file 1\n" + parts.joined()).utf8)
        let file = try #require(SealedFile(bytes: bytes))
        #expect(String(decoding: try file.render { _ in "a\"b" }, as: UTF8.self) == "12a\"b|\"a\\\"b\"|a\"b true\nA\"B")
    }

    @Test func textsThatDoubleAreBounded() throws {
        let doubling = String(repeating: #"{{ $x = print $x $x }}"#, count: 30)
        #expect(throws: TemplateProblem.self) {
            try Template(Array((#"{{ $x := getSecret "pw" }}"# + doubling + "{{ $x }}").utf8)).render(
                data, values: Values())
        }
    }

    @Test func namesWhatItNeedsAndTakesOtherValues() throws {
        let file = try sealed(#"a={{ getSecret "a" }} b={{ getSecret "b" | upper }} {{ getSecret "a" }}"#)
        #expect(file.secrets.map(\.name.key) == ["a", "b"])
        // Whatever functions add is shown, too.
        #expect(String(decoding: file.shown(\.name.key), as: UTF8.self) == "a=[a] b=[upper b] [a]")
        let url = try sealed(#"{{ printf "https://%s@%s" (upper (getSecret "a")) "evil" }}"#)
        #expect(
            String(decoding: url.shown(\.name.key), as: UTF8.self) == #"[printf "https://%s@%s" (upper a) "evil"]"#)
        let other = try SecretReference.test("a", digit: "b").fingerprint
        let bound = try #require(file.bound { $0.key == "a" ? other : file.secrets[1].fingerprint })
        #expect(bound != file && bound.secrets.first?.fingerprint == other)
        #expect(bound.shown { $0.name.key } == file.shown { $0.name.key })
        #expect(file.bound { $0.key == "a" ? other : nil } == nil)
    }

    @Test(arguments: [
        "call print 399\n" + String(repeating: "call print 0\n", count: 2)
            + String(repeating: "text 0\n\n", count: 397),
        "call print 400\n", "call print -1\n", "call print 99999999999999999999\n", "text -1\n\n", "secret\n",
        String(repeating: "call print 1\n", count: 500), "text 1\na\ntext 1\nb\n", "text 5\nabc\n",
    ]) func craftedBytesAreNone(_ body: String) {
        #expect(SealedFile(bytes: Array(("maand-sealed-file 1\n" + body).utf8)) == nil)
    }

    /// Only its own bytes are read.
    @Test func damagedBytesAreNone() throws {
        let sound = try sealed(#"x{{ getSecret "pw" | printf "%s %v %v" "u" 3 }}y"#).bytes
        var generator = Generator(state: 7)
        for _ in 0..<3000 {
            var bytes = sound
            let index = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0...2, using: &generator) {
            case 0: bytes.remove(at: index)
            case 1: bytes[index] = UInt8.random(in: 0...255, using: &generator)
            default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: index)
            }
            if let file = SealedFile(bytes: bytes) { #expect(file.bytes == bytes) }
        }
    }
}
