import Foundation
import Testing
import YAML

@testable import Model
@testable import Plans
@testable import Windows

/// What `make-cases.py` computed with Python's zoneinfo.
struct WindowCases: Decodable {
    struct Opening: Decodable, Equatable {
        var from: String
        var until: String
        var shifted: Bool
    }

    struct Case: Decodable {
        var name: String
        var window: String
        var at: String
        var openings: [Opening]
    }

    struct Conversion: Decodable {
        var zone: String
        var local: String
        var utc: String
        var shifted: Bool
    }

    var cases: [Case]
    var conversions: [Conversion]

    static func read() throws -> WindowCases {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("cases.json")
        return try JSONDecoder().decode(WindowCases.self, from: Data(contentsOf: file))
    }
}

struct WindowTests {
    static func calendar(_ text: String, freezes: [Freeze] = []) throws -> WindowCalendar {
        let window = try WindowText.parse(text, database: .system)
        return WindowCalendar(window, rules: try #require(ZoneDatabase.system.rules(window.zone)), freezes: freezes)
    }

    static func at(_ text: String) throws -> Timestamp { try #require(Timestamp(utcText: text)) }

    @Test func openingsAsPythonComputesThem() throws {
        let cases = try WindowCases.read().cases
        #expect(cases.count >= 60)
        for item in cases {
            let found = try Self.calendar(item.window).openings(from: try Self.at(item.at), limit: 3).map {
                WindowCases.Opening(from: $0.from.utcText, until: $0.until.utcText, shifted: $0.isShifted)
            }
            #expect(found == item.openings, "\(item.name): \(item.window), at \(item.at)")
        }
    }

    @Test func localTimesAsPythonTranslatesThem() throws {
        let conversions = try WindowCases.read().conversions
        #expect(conversions.count > 500)
        for item in conversions {
            let rules = try #require(ZoneDatabase.system.rules(item.zone))
            let local = try #require(CivilTime(item.local))
            let found = rules.instant(of: local)
            #expect(found.instant.utcText == item.utc, "\(item.zone) \(item.local)")
            #expect(found.isShifted == item.shifted, "\(item.zone) \(item.local)")
            if !item.shifted { #expect(rules.local(found.instant).time == local) }
        }
    }

    /// An instant is inside of an opening exactly if the openings from then on begin with it.
    @Test func openingsAreHalfOpen() throws {
        for item in try WindowCases.read().cases {
            let calendar = try Self.calendar(item.window)
            for opening in calendar.openings(from: try Self.at(item.at), limit: 3) {
                #expect(calendar.opening(at: opening.from)?.until == opening.until)
                #expect(calendar.opening(at: Timestamp(milliseconds: opening.until.milliseconds - 1)) != nil)
                #expect(calendar.opening(at: opening.until)?.from != opening.from)
                if let before = calendar.opening(at: Timestamp(milliseconds: opening.from.milliseconds - 1)) {
                    #expect(before.until <= opening.from)
                }
            }
        }
    }

    @Test func cutoffsComeBeforeTheEndAndBeforeAFreeze() throws {
        let calendar = try Self.calendar(
            "thu 22:00 for 4h in Europe/Berlin cutoff 15m freeze 2026-12-18T00:00 to 2026-12-18T01:00")
        let openings = calendar.openings(from: try Self.at("2026-12-17T00:00:00Z"), limit: 2)
        #expect(openings.map(\.cutoff.utcText) == ["2026-12-17T22:45:00Z", "2026-12-18T00:45:00Z"])
        #expect(openings.map(\.endsInFreeze) == [true, false])
        #expect(calendar.freeze(at: try Self.at("2026-12-17T23:30:00Z"))?.until.utcText == "2026-12-18T00:00:00Z")
    }

    @Test func freezesHoldWithoutAWindow() throws {
        let freeze = Freeze(
            FixedInterval(from: try Self.at("2026-12-20T00:00:00Z"), until: try Self.at("2027-01-04T00:00:00Z")),
            reason: "holidays")
        let calendar = WindowCalendar(nil, rules: .utc, freezes: [freeze])
        #expect(!calendar.isAlwaysOpen)
        #expect(calendar.opening(at: try Self.at("2026-12-19T23:59:59Z"))?.endsInFreeze == true)
        #expect(calendar.opening(at: try Self.at("2026-12-20T00:00:00Z")) == nil)
        #expect(
            calendar.openings(from: try Self.at("2026-12-21T00:00:00Z"), limit: 1).first?.from == freeze.interval.until)
        #expect(WindowCalendar(nil, rules: .utc).isAlwaysOpen)
    }

    @Test(.timeLimit(.minutes(5))) func aFreezeOfThousandsOfYearsIsNotWalkedThrough() throws {
        let calendar = try Self.calendar(
            "daily 00:00 for 24h in Europe/Berlin freeze 2026-01-01T00:00 to 9990-06-01T00:00")
        let openings = calendar.openings(from: try Self.at("2026-02-01T06:00:00Z"), limit: 3)
        #expect(openings.map(\.from.utcText).first == "9990-05-31T22:00:00Z")
        #expect(openings.count == 1)
        let last = try Self.calendar("daily 00:00 for 24h in Europe/Berlin freeze 2026-01-01T00:00 to 9999-12-31T23:59")
        _ = last.openings(from: try Self.at("2026-02-01T06:00:00Z"), limit: 3)
    }

    @Test(arguments: [
        "daily 00:00 for 24h in Europe/Berlin", "mon,tue,wed,thu,fri,sat,sun 06:00 for 30h in Europe/Berlin cutoff 1h",
        "sat 02:00 for 1h and FREQ=DAILY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12 12:00 for 24h in UTC",
    ]) func everyDayFor24HoursIsOneOpening(_ text: String) throws {
        let now = try Self.at("2026-10-24T06:00:00Z")
        let openings = try Self.calendar(text).openings(from: now, limit: 3)
        #expect(openings.map(\.from) == [.distantPast])
        #expect(openings.map(\.cutoff) == [.distantFuture])
        // Its freezes still hold, and the cutoff comes before them.
        let frozen = try Self.calendar(text + " freeze 2026-10-25T00:00Z to 2026-10-27T00:00Z").openings(
            from: now, limit: 3)
        #expect(frozen.map(\.until.utcText).first == "2026-10-25T00:00:00Z")
        #expect(frozen.last?.from.utcText == "2026-10-27T00:00:00Z")
    }

    @Test(arguments: [
        "daily 00:00 for 23h59m in UTC", "mon,tue,wed,thu,fri,sat 00:00 for 24h in UTC",
        "daily of jan 00:00 for 24h in UTC",
    ])
    func anythingLessHasAnEnd(_ text: String) throws {
        let opening = try #require(
            try Self.calendar(text).openings(from: try Self.at("2026-01-01T06:00:00Z"), limit: 1).first)
        #expect(opening.until < .distantFuture)
    }

    @Test func anOpeningWithoutEndIsCut() throws {
        let calendar = try Self.calendar("daily 00:00 for 12h and daily 12:00 for 12h in UTC")
        let openings = calendar.openings(from: try Self.at("2026-01-01T06:00:00Z"), limit: 2)
        #expect(openings.count == 2)
        #expect(openings[1].from == openings[0].until)
        #expect(openings.allSatisfy { $0.until.seconds - $0.from.seconds <= 31 * 86400 })
    }

    @Test func fixedTimesAreCheckedAgainstTheZone() throws {
        var window = try WindowText.parse("2026-12-01T22:00 to 2026-12-02T02:00 in Europe/Berlin", database: .system)
        let rules = try #require(ZoneDatabase.system.rules("Europe/Berlin"))
        #expect(window.staleInstants(rules).isEmpty)
        guard case .once(var interval)? = window.openings.first else { throw WindowText.Problem(description: "") }
        #expect(interval.from.utcText == "2026-12-01T21:00:00Z")
        interval.from = interval.from.advanced(bySeconds: 3600)
        window.openings = [.once(interval)]
        #expect(window.staleInstants(rules).count == 1)
    }

    @Test func recurrenceRulesAndWordsMeanTheSame() throws {
        for (rule, words) in [
            ("FREQ=DAILY", "daily"), ("FREQ=WEEKLY;BYDAY=TU,TH", "tue,Thursday"),
            ("FREQ=WEEKLY;WKST=SU;BYDAY=TU", "tue"),
            ("RRULE:FREQ=MONTHLY;BYDAY=3TH", "third thu"), ("FREQ=MONTHLY;BYDAY=TH;BYSETPOS=3", "third thu"),
            ("FREQ=MONTHLY;BYDAY=-1FR", "last fri"), ("FREQ=MONTHLY;BYMONTHDAY=1,15", "day 1,15"),
            ("FREQ=MONTHLY;BYMONTHDAY=-1", "last day"),
            ("FREQ=MONTHLY;INTERVAL=1;BYMONTH=9,3;BYDAY=2SA", "second sat of mar,September"),
        ] {
            let a = try WindowText.parse("\(rule) 22:00 for 4h in Europe/Berlin", database: .system)
            let b = try WindowText.parse("\(words) 22:00 for 4h in Europe/Berlin", database: .system)
            #expect(a == b, "\(rule)")
        }
    }

    @Test func cronAndWordsMeanTheSame() throws {
        for (cron, words) in [
            ("0 22 * * *", "daily 22:00"), ("0 22 * * tue,THU", "tue,thu 22:00"), ("30 2 * * 0", "sun 02:30"),
            ("30 02 * * 7", "sun 02:30"), ("0 22 * * 1-5", "mon,tue,wed,thu,fri 22:00"),
            ("5 0 1,15 * *", "day 1,15 00:05"), ("5 0 1 mar,9 *", "day 1 of mar,sep 00:05"),
            ("0 4 29 2 *", "day 29 of feb 04:00"),
        ] {
            let a = try WindowText.parse("cron \(cron) for 4h in Europe/Berlin", database: .system)
            let b = try WindowText.parse("\(words) for 4h in Europe/Berlin", database: .system)
            #expect(a == b, "\(cron)")
        }
        // Either selects the day.
        let both = try Self.calendar("cron 0 22 13 * fri for 1h in UTC")
            .openings(from: try Self.at("2026-05-09T00:00:00Z"), limit: 3).map(\.from.utcText)
        #expect(both == ["2026-05-13T22:00:00Z", "2026-05-15T22:00:00Z", "2026-05-22T22:00:00Z"])
        for bad in [
            "* 22 * * *", "0,30 22 * * *", "0 9-17 * * *", "*/5 22 * * *", "60 22 * * *", "0 24 * * *", "0 22 0 * *",
            "0 22 32 * *", "0 22 * 13 *", "0 22 * * 8", "0 22 * * fri-mon", "0 22 1- * *", "0 22 , * *", "0 22 * *",
            "0 22 L * *", "0 22 * * mon#3", "-1 22 * * *", "+1 22 * * *",
        ] {
            #expect(throws: WindowText.Problem.self, "\(bad)") {
                try WindowText.parse("cron \(bad) for 4h in UTC", database: .system)
            }
        }
    }

    @Test func badWindowsAreRefused() {
        for text in [
            "", "tue", "tue 22:00", "tue 22:00 for", "tue 22:00 for 4", "tue 22:00 for 4h", "tue 25:00 for 4h in UTC",
            "tue 22:00 for 4h in Mars/Olympus", "tue 22:00 for 4h in ../../etc/passwd", "tue 22:00 for 8d in UTC",
            "tue 22:00 for 0s in UTC", "tue 22:00 for 1h in UTC cutoff 1h", "sixth thu 22:00 for 1h in UTC",
            "day 32 22:00 for 1h in UTC", "2026-12-01T22:00 to 2026-12-01T21:00 in UTC",
            "2026-12-01T22:00 to 2026-12-01T23:00", "2026-02-30T22:00Z to 2026-03-01T23:00Z",
            "tue 22:00 for 1h in UTC in UTC", "tue 22:00 for 1h in UTC freeze 2026-01-01", "tue 22:00 for 1h of in UTC",
            "FREQ=YEARLY;BYDAY=TU 22:00 for 1h in UTC", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU 22:00 for 1h in UTC",
            "FREQ=WEEKLY;BYDAY=2TU 22:00 for 1h in UTC", "FREQ=WEEKLY;INTERVAL=1,1;BYDAY=TU 22:00 for 1h in UTC",
            "FREQ=WEEKLY;WKST=XX;BYDAY=TU 22:00 for 1h in UTC",
            "FREQ=WEEKLY;BYDAY=XX 22:00 for 1h in UTC", "FREQ=WEEKLY;BYDAY=TU;COUNT=3 22:00 for 1h in UTC",
            "day 31 of feb 22:00 for 1h in UTC", "day 31 of apr,jun 22:00 for 1h in UTC",
            "cron 0 22 30 2 * for 1h in UTC",
            "2026-03-29T02:10 to 2026-03-29T02:50 in Europe/Berlin",
        ] {
            #expect(throws: WindowText.Problem.self, "\(text)") { try WindowText.parse(text, database: .system) }
        }
    }

    @Test func rareDaysAreNoBadOnes() throws {
        for text in ["day 29 of feb", "fifth mon of feb", "day 15,31 of feb", "day 31 of feb,mar"] {
            _ = try WindowText.parse(text + " 22:00 for 1h in UTC", database: .system)
        }
    }

    @Test func freezeFilesAreRead() throws {
        func read(_ text: String) throws -> [Freeze] {
            try FreezeFile.read(Array(text.utf8), file: "freezes.yaml", database: .system)
        }
        let freezes = try read(
            """
            # year's end
            zone: Europe/Berlin
            freezes:
              - {from: "2026-12-20", until: "2027-01-04T06:00", reason: year's end}
              - from: "2027-02-01T00:00Z"
            """)
        #expect(freezes.map(\.interval.from.utcText) == ["2026-12-19T23:00:00Z", "2027-02-01T00:00:00Z"])
        #expect(freezes.map(\.interval.until) == [try Self.at("2027-01-04T05:00:00Z"), .distantFuture])
        for bad in [
            "freezes: []", "zone: Nowhere\nfreezes: []", "zone: UTC\nfreezes:\n  - {until: \"2027-01-01\"}",
            "zone: UTC\nfreezes:\n  - {from: tomorrow}",
            "zone: UTC\nfreezes:\n  - {from: \"2027-01-02\", until: \"2027-01-01\"}",
            "zone: UTC\nfreezes: []\nfreeze: []",
        ] {
            #expect(throws: InputFailure.self, "\(bad)") { try read(bad) }
        }
    }

    @Test func aFreezeOfTimesThatDoNotExistIsNamedAsOne() {
        let text = """
            zone: Europe/Berlin
            freezes:
              - {from: "2026-03-29T02:10", until: "2026-03-29T02:50"}
            """
        let failure = #expect(throws: InputFailure.self) {
            try FreezeFile.read(Array(text.utf8), file: "freezes.yaml", database: .system)
        }
        #expect(failure?.description.contains("the clocks are set forward over the freeze") == true)
    }

    @Test func damagedZoneDataIsRefused() throws {
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: "/usr/share/zoneinfo/Europe/Berlin")))
        #expect(ZoneRules(tzif: bytes) != nil)
        for count in 0..<bytes.count where count % 7 == 0 { _ = ZoneRules(tzif: Array(bytes.prefix(count))) }
        #expect(ZoneRules(tzif: Array(bytes.prefix(bytes.count / 2))) == nil)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            var damaged = bytes
            for _ in 0..<4 {
                damaged[Int.random(in: 0..<damaged.count, using: &random)] = UInt8.random(in: .min ... .max)
            }
            if let rules = ZoneRules(tzif: damaged) {
                _ = rules.instant(of: try #require(CivilTime("2026-03-29T02:30")))
            }
        }
    }
}
