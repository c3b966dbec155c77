import Testing

@testable import Planner

@Suite struct QuantityTests {
    @Test(arguments: [
        ("512", "512 mb"), ("512 mb", "512 mb"), ("512MB", "512 mb"), ("1 gb", "1024 mb"), ("1.5 GB", "1536 mb"),
        ("2 tb", "2097152 mb"), ("0", "0 mb"), ("0.125", "0.125 mb"),
    ])
    func readsMemory(_ text: String, _ expected: String) { #expect(Quantity(text, .memory)?.text(.memory) == expected) }

    @Test(arguments: [("2 ghz", "2000 mhz"), ("1 thz", "1000000 mhz"), ("100", "100 mhz")])
    func readsCPU(_ text: String, _ expected: String) { #expect(Quantity(text, .cpu)?.text(.cpu) == expected) }

    @Test(arguments: [
        "", "mb", "-1 mb", "1 kb", "1,5 gb", "1.0001 gb", "1. gb", ".5 gb", "1 mb mb", "9999999999 tb", "1e3",
    ])
    func refuses(_ text: String) { #expect(Quantity(text, .memory) == nil) }
}
