import Model
import Testing

@Suite struct VersionTests {
    @Test(arguments: ["1.0.0", "v2.1", "3", "2.0.0-rc1", "10.20.30-alpha.1", "1.0.0+7_a~b:c-d", "1.0.0-rc1+7"])
    func reads(_ text: String) {
        #expect(Version(text)?.text == text)
    }

    @Test(arguments: [
        "", "unknown", "1.2.3.4", "1..2", "1.x", "-1", "v", "1.0-", "1.0.0-a..b", "99999999999999999999",
        "1.0.0+$(touch x)", "1.0.0+a b", "1.0.0+`id`", "1.0.0+é", "1.0.0+\n", "1.0.0+$$", "1.0.0+a/b", "1.0~rc1",
        "1.0.0+" + String(repeating: "a", count: 123),
    ])
    func refuses(_ text: String) {
        #expect(Version(text) == nil)
        #expect(!Version.isValid(text))
    }

    @Test(arguments: [
        (#"{"version": "v1.2"}"#, "v1.2"), (#"{"a": 1}"#, "0.0.0"), ("[1]", "0.0.0"), ("", "0.0.0"), ("{", "0.0.0"),
        (#"{"version": "1.0.0+$(touch x)"}"#, nil), (#"{"version": 1}"#, nil), (#"{"version": null}"#, "0.0.0"),
        (#"{"version": {"a": 1}}"#, nil), (#"{"version": ""}"#, "0.0.0"), (#"{"version": " v2 "}"#, "v2"),
        (#"{"Version": "1.2"}"#, "1.2"),
    ])
    func isReadFromAManifest(_ text: String, _ version: String?) {
        #expect(Version.text(inManifest: Array(text.utf8)) == version)
    }

    @Test func ordersBySegmentsThenPreRelease() {
        let ascending = [
            "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0", "v1.0.1",
            "1.10",
        ]
        .compactMap { Version($0) }
        #expect(ascending.count == 8)
        #expect(ascending.sorted() == ascending)
    }
}
