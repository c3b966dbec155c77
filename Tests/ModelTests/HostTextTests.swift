import Model
import Testing

@Suite struct HostTextTests {
    @Test(arguments: [
        ("10.0.0.7", HostText.address([10, 0, 0, 7])), ("::1", .address(Array(repeating: 0, count: 15) + [1])),
        ("localhost", .name("localhost")), ("db-1.example.com", .name("db-1.example.com")), ("a_b", .name("a_b")),
        ("*.example.com", .name("*.example.com")),
    ])
    func reads(_ text: String, _ expected: HostText) { #expect(HostText(text) == expected) }

    @Test(arguments: [
        "", ".", "a..b", "a b", "-a", "a-", "10.0.0.256", "1.2", "*.com", "a.*.com", "é.com", "a/b", "[::1]",
        String(repeating: "a", count: 64), String(repeating: "a.", count: 127) + "aa",
    ])
    func refuses(_ text: String) { #expect(HostText(text) == nil) }
}
