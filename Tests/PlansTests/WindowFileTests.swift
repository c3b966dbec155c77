import Foundation
import Model
import Plans
import Testing
import Windows
import YAML

/// Windows in plan files.
@Suite struct WindowFileTests {
    @Test func plansKeepEveryWindow() throws {
        for text in [
            "daily 22:00 for 1h in UTC", "mon,tue 22:00:30 for 2h in Europe/Berlin",
            "third thu of mar,apr 01:00 for 1h in Asia/Tokyo",
            "last fri 22:00 for 1h in UTC", "day 15,31 22:00 for 1h in UTC", "last day 22:00 for 1h in UTC",
            "day 29 of feb,mar 00:00 for 7d in America/New_York cutoff 15m",
            "2026-12-01T22:00 to 2026-12-02T02:00 in Europe/Berlin", "2026-12-01T22:00Z to 2026-12-02T02:00Z",
        ] {
            var plan = try Samples.plan()
            var window = try WindowText.parse(
                text + " freeze 2030-01-01T00:00Z to 2030-01-02T00:00Z", database: .system)
            window.freezes[window.freezes.count - 1].reason = "\"quoted\"\nand more"
            plan.window = window
            plan.policy.startBefore = Timestamp(utcText: "2026-12-24T00:00:00Z")
            let file = PlanFile(plan)
            #expect(try PlanFile.read(file.bytes, file: "p").plan == plan)
        }
    }

    @Test func windowsInPlansAreReadStrictly() throws {
        var plan = try Samples.plan()
        plan.window = try WindowText.parse(
            "third thu of mar 22:00 for 1h and 2026-12-01T22:00 to 2026-12-02T02:00 in Europe/Berlin cutoff 5m",
            database: .system)
        let text = String(decoding: PlanFile(plan).bytes, as: UTF8.self)
        for (old, new) in [
            ("Europe/Berlin", "\"../etc\""), ("third thu", "third thirsday"), ("\"22:00:00\"", "\"22:00\""),
            ("\"22:00:00\"", "\"24:00:00\""), ("duration_seconds: 3600", "duration_seconds: 300"),
            ("duration_seconds: 3600", "duration_seconds: 0"), ("months: [3]", "months: [13]"),
            ("months: [3]", "months: [4, 3]"),
            ("not_after: \"2026-12-02T01:00:00Z\"", "not_after: \"2026-12-01T01:00:00Z\""),
            ("not_after: \"2026-12-02T01:00:00Z\"", "not_after: \"2026-12-02 01:00\""),
            ("cutoff_seconds: 300", "cutoff_seconds: -1"),
            ("local: [\"2026-12-01T22:00:00\", ", "local: ["), ("freezes: []", "freezes: [{}]"),
        ] {
            #expect(text.contains(old))
            let changed = text.replacingOccurrences(of: old, with: new)
            #expect(throws: InputFailure.self, "\(new)") { try PlanFile.read(Array(changed.utf8), file: "p") }
        }
    }
}
