import Model
import Testing

@Suite struct VersionTests {
    @Test(arguments: ["1.0.0", "v2.1", "3", "2.0.0-rc1", "10.20.30-alpha.1"])
    func reads(_ text: String) {
        #expect(Version(text)?.text == text)
    }

    @Test(arguments: ["", "unknown", "1.2.3.4", "1..2", "1.x", "-1", "v", "1.0-", "1.0.0-a..b", "99999999999999999999"])
    func refuses(_ text: String) {
        #expect(Version(text) == nil)
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
