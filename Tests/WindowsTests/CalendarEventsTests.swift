import Model
import Testing
import Windows

/// What systemd makes of these events is tested with `systemd-analyze` (Tests/acceptance/test_schedule.py).
struct CalendarEventsTests {
    private func events(_ text: String, from now: String = "2026-01-01T00:00:00Z") throws -> CalendarEvents {
        let window = try WindowText.parse(text, database: .system)
        return CalendarEvents(
            window, rules: try #require(ZoneDatabase.system.rules(window.zone)), freezes: [],
            from: try #require(Timestamp(utcText: now)))
    }

    @Test func everyFormOfARule() throws {
        for (window, expected) in [
            ("daily 22:00 for 1h in UTC", ["*-*-* 22:00:00 UTC"]),
            ("tue,thu 22:00 for 1h in Europe/Berlin", ["Tue,Thu *-*-* 22:00:00 Europe/Berlin"]),
            ("first mon 03:00 for 1h in UTC", ["Mon *-*-01..07 03:00:00 UTC"]),
            ("fifth mon 03:00 for 1h in UTC", ["Mon *-*-29..31 03:00:00 UTC"]),
            ("last fri of mar,sep 03:00 for 1h in UTC", ["Fri *-03,09~07/1 03:00:00 UTC"]),
            ("last day 03:00 for 1h in UTC", ["*-*~01 03:00:00 UTC"]),
            ("day 1,15 03:00 for 1h in UTC", ["*-*-01,15 03:00:00 UTC"]),
            ("cron 0 3 13 * fri for 1h in UTC", ["Fri *-*-* 03:00:00 UTC", "*-*-13 03:00:00 UTC"]),
            ("2026-12-01T22:00 for 1h in Europe/Berlin", ["2026-12-01 22:00:00 Europe/Berlin"]),
            ("2026-12-01T22:00Z for 1h", ["2026-12-01 22:00:00 UTC"]),
            // Which of the two it is, or that there is none, only UTC says.
            ("2026-10-25T02:30 for 1h in Europe/Berlin", ["2026-10-25 00:30:00 UTC"]),
            ("2026-03-29T02:30 for 1h in Europe/Berlin", ["2026-03-29 01:00:00 UTC"]),
            // What is past is left out.
            ("2025-12-01T22:00 for 1h and daily 01:00 for 1h in UTC", ["*-*-* 01:00:00 UTC"]),
        ] {
            #expect(try events(window).rules == expected, "\(window)")
        }
    }

    @Test func openingsThatNoRuleGives() throws {
        let gap = try events("sun 02:30 for 1h in Europe/Berlin")
        #expect(gap.exceptions == ["2026-03-29 01:00:00 UTC", "2027-03-28 01:00:00 UTC"])
        let frozen = try events(
            "daily 22:00 for 4h in UTC freeze 2026-05-01 to 2026-05-03T23:00 freeze 2026-06-01 to 2026-06-02")
        #expect(frozen.exceptions == ["2026-05-03 23:00:00 UTC", "2026-06-02 00:00:00 UTC"])
        #expect(try events("daily 22:00 for 1h in Europe/Berlin").exceptions.isEmpty)
    }
}
