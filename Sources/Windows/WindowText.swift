internal import Model

/// Reads a window as people write it on a command line, such as
/// `tue,thu 22:00 for 4h and third sat 02:00 for 6h in Europe/Berlin cutoff 15m freeze 2026-12-20 to 2027-01-04`.
///
/// | part | forms |
/// |---|---|
/// | opening | `2026-12-01T22:00 to 2026-12-02T02:00`, `2026-12-01T22:00 for 4h`, DAYS `22:00 for 4h`; several with `and` |
/// | DAYS | `daily`, `tue,thu`, `third thu`, `last fri`, `day 1,15`, `last day`; all with `of mar,sep`; or an RRULE |
/// | cron | `cron 0 22 * * tue,thu for 4h`: minute, hour, day of month, month, day of week |
/// | `in ZONE` | an IANA name; needed for local times. Times that end in `Z` are UTC |
/// | `cutoff 15m` | everything has to have ended so long before the end of an opening |
/// | `freeze FROM to UNTIL` | may be repeated; a date alone is its first moment |
public struct WindowText {
    /// What is wrong, and at which word.
    public struct Problem: Error, CustomStringConvertible {
        public let description: String
    }

    private var words: ArraySlice<Substring>
    private let database: ZoneDatabase

    /// - Parameter database: translates local times of fixed openings and freezes.
    /// - Throws: `Problem`.
    public static func parse(_ text: String, database: ZoneDatabase) throws(Problem) -> MaintenanceWindow {
        let lines = text.split(whereSeparator: \.isNewline).map { $0.prefix { $0 != "#" } }
        var parser = WindowText(
            words: lines.flatMap { $0.split(whereSeparator: \.isWhitespace) }[...], database: database)
        return try parser.window()
    }

    private enum Draft {
        case fixed(Moment, Moment)
        case recurring(Recurrence)
    }

    private enum Moment {
        case instant(Timestamp)
        case local(CivilTime)
        /// After the moment before it.
        case later(Int)
    }

    private mutating func window() throws(Problem) -> MaintenanceWindow {
        var drafts = [try opening()]
        while take("and") { drafts.append(try opening()) }
        var zone: String?
        var cutoff = 0
        var freezes: [(Moment, Moment)] = []
        while let word = words.popFirst() {
            switch word {
            case "in":
                guard zone == nil else { throw Problem(description: "`in` is there twice: a window has one zone") }
                zone = String(try next("the name of a zone after `in`, such as Europe/Berlin"))
            case "cutoff": cutoff = try duration()
            case "freeze":
                let from = try moment()
                guard take("to") else { throw unexpected("`to` and the end of the freeze") }
                freezes.append((from, try moment()))
            default:
                words = [word] + words
                throw unexpected("`and`, `in`, `cutoff` or `freeze`")
            }
        }
        guard let rules = database.rules(zone ?? ZoneDatabase.utc) else {
            throw Problem(
                description:
                    "\"\(zone ?? "")\" is no zone of this machine's time-zone data; an IANA name such as Europe/Berlin")
        }
        let resolver = Resolver(rules: rules, hasZone: zone != nil)
        var window = MaintenanceWindow(zone: zone ?? ZoneDatabase.utc, openings: [], cutoff: cutoff)
        for draft in drafts {
            switch draft {
            case .fixed(let from, let until): window.openings.append(.once(try resolver.interval(from, until)))
            case .recurring(let recurrence):
                if zone == nil { throw Resolver.noZone }
                window.openings.append(.recurring(recurrence))
            }
        }
        for (from, until) in freezes { window.freezes.append(Freeze(try resolver.interval(from, until))) }
        if let problem = window.problem { throw Problem(description: problem) }
        return window
    }

    private struct Resolver {
        let rules: ZoneRules
        let hasZone: Bool

        static let noZone = Problem(description: "local times need `in ZONE`, such as `in Europe/Berlin` or `in UTC`")

        func interval(_ from: Moment, _ until: Moment) throws(Problem) -> FixedInterval {
            let start: Timestamp
            switch from {
            case .instant(let instant): start = instant
            case .local(let time): start = try instant(time)
            case .later: throw Problem(description: "an opening begins at a time, not after one")
            }
            let interval: FixedInterval
            switch (from, until) {
            case (.local(let from), .local(let until)):
                interval = FixedInterval(LocalInterval(from: from, until: until), in: rules)
            case (.local(let from), .later(let seconds)):
                let end = start.advanced(bySeconds: Int64(seconds))
                interval = FixedInterval(
                    from: start, until: end, local: LocalInterval(from: from, until: rules.local(end).time))
            case (_, .local(let time)): interval = FixedInterval(from: start, until: try instant(time))
            case (_, .instant(let end)): interval = FixedInterval(from: start, until: end)
            case (_, .later(let seconds)):
                interval = FixedInterval(from: start, until: start.advanced(bySeconds: Int64(seconds)))
            }
            guard interval.from < interval.until else {
                if case (.local(let from), .local(let until)) = (from, until), from < until {
                    throw Problem(
                        description:
                            "\(from.text) to \(until.text): the clocks are set forward over these times, which do not "
                            + "exist that day")
                }
                throw Problem(
                    description: "\(interval.from.utcText) to \(interval.until.utcText): it ends before it begins")
            }
            // Where the clocks are set back the end occurs twice; then its instant says which one is meant.
            if let local = interval.local, FixedInterval(local, in: rules) != interval {
                return FixedInterval(from: interval.from, until: interval.until)
            }
            return interval
        }

        private func instant(_ time: CivilTime) throws(Problem) -> Timestamp {
            guard hasZone else { throw Self.noZone }
            return rules.instant(of: time).instant
        }
    }

    // MARK: Parts

    private mutating func opening() throws(Problem) -> Draft {
        if let first = words.first, first.first?.isNumber == true, first.contains("-") {
            let from = try moment()
            if take("to") { return .fixed(from, try moment()) }
            guard take("for") else { throw unexpected("`to` or `for`") }
            return .fixed(from, .later(try duration()))
        }
        var recurrence: Recurrence
        if take("cron") {
            let fields = Array(words.prefix(5))
            guard fields.count == 5 else { throw unexpected("five fields after `cron`, such as 0 22 * * tue,thu") }
            words = words.dropFirst(5)
            recurrence = try CronRule.parse(fields)
            guard take("for") else { throw unexpected("`for` and a duration") }
            recurrence.duration = try duration()
            return .recurring(recurrence)
        }
        if let first = words.first, first.uppercased().hasPrefix("FREQ=") || first.uppercased().hasPrefix("RRULE:") {
            words.removeFirst()
            recurrence = try RecurrenceRule.parse(String(first))
        } else {
            recurrence = Recurrence(days: try days(), time: 0, duration: 0)
            if take("of") { recurrence.months = try months() }
        }
        let text = try next("the time of day at which the window opens, such as 22:00")
        guard let time = CivilTime.second(ofDay: text) else {
            throw Problem(description: "\"\(text)\" is no time of day, such as 22:00")
        }
        recurrence.time = time
        guard take("for") else { throw unexpected("`for` and a duration") }
        recurrence.duration = try duration()
        return .recurring(recurrence)
    }

    private mutating func days() throws(Problem) -> [DaySelector] {
        let hint = "days: daily, tue,thu, third thu, last fri, day 1,15 or last day"
        let first = try next(hint).lowercased()
        func list(_ prefix: String, _ text: Substring) throws(Problem) -> [DaySelector] {
            var days: [DaySelector] = []
            for part in text.lowercased().split(separator: ",", omittingEmptySubsequences: false) {
                let name = Self.shortened(String(part))
                guard let day = DaySelector(prefix + name) else {
                    throw Problem(description: "\"\(prefix)\(part)\" is no day; \(hint)")
                }
                days.append(day)
            }
            return days
        }
        if first == "day" || first == "last" || DaySelector.ordinals.contains(first) {
            return try list(first + " ", try next(hint))
        }
        return try list("", Substring(first))
    }

    /// `thursday` and `thu` are the same day.
    private static func shortened(_ name: String) -> String {
        name.count > 3 && name.hasSuffix("day") && Weekday(rawValue: String(name.prefix(3))) != nil
            ? String(name.prefix(3)) : name
    }

    private static let monthNames = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]

    private mutating func months() throws(Problem) -> [Int] {
        var months: Set<Int> = []
        for part in try next("months after `of`, such as mar,sep").lowercased().split(separator: ",") {
            guard let index = Self.monthNames.firstIndex(of: String(part.prefix(3))) else {
                throw Problem(description: "\"\(part)\" is no month, such as mar")
            }
            months.insert(index + 1)
        }
        return months.sorted()
    }

    private mutating func moment() throws(Problem) -> Moment {
        let word = try next("a time such as 2026-12-01T22:00, or with a Z at its end for UTC")
        if let instant = Timestamp(utcText: word) { return .instant(instant) }
        if let time = CivilTime(word) { return .local(time) }
        throw Problem(description: "\"\(word)\" is no time, such as 2026-12-01T22:00, or 2026-12-01T21:00Z for UTC")
    }

    private mutating func duration() throws(Problem) -> Int {
        let word = try next("a duration such as 4h, 90m or 1h30m")
        guard let seconds = Self.seconds(word) else {
            throw Problem(description: "\"\(word)\" is no duration, such as 4h, 90m, 30s, 2d or 1h30m")
        }
        return seconds
    }

    /// `2d`, `4h`, `90m`, `30s`, and several of them, the larger unit first.
    public static func seconds(_ text: some StringProtocol) -> Int? {
        var sum = 0
        var number: Int?
        var units: ArraySlice<(Character, Int)> = [("d", 86400), ("h", 3600), ("m", 60), ("s", 1)][...]
        for character in text {
            if let digit = character.isASCII ? character.wholeNumberValue : nil {
                let next = (number ?? 0) * 10 + digit
                guard next < 1_000_000 else { return nil }
                number = next
            } else {
                guard let count = number, let index = units.firstIndex(where: { $0.0 == character }) else { return nil }
                sum += count * units[index].1
                units = units[(index + 1)...]
                number = nil
            }
        }
        return number == nil && !text.isEmpty ? sum : nil
    }

    // MARK: Words

    private mutating func take(_ word: String) -> Bool {
        guard words.first?.lowercased() == word else { return false }
        words.removeFirst()
        return true
    }

    private mutating func next(_ expected: String) throws(Problem) -> Substring {
        guard let word = words.popFirst() else { throw unexpected(expected) }
        return word
    }

    private func unexpected(_ expected: String) -> Problem {
        Problem(description: "expected \(expected), found \(words.first.map { "\"\($0)\"" } ?? "the end")")
    }
}

/// The part of RFC 5545's recurrence rules that says which days of the week, month and year are meant.
enum RecurrenceRule {
    /// Reads `FREQ=MONTHLY;BYDAY=3TH` and the like, with or without `RRULE:`. Time and duration are left at 0.
    static func parse(_ text: String) throws(WindowText.Problem) -> Recurrence {
        var text = text.uppercased()[...]
        if text.hasPrefix("RRULE:") { text = text.dropFirst(6) }
        var parts: [Substring: Substring] = [:]
        for part in text.split(separator: ";") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2, parts.updateValue(pair[1], forKey: pair[0]) == nil else { throw bad("\(part)") }
        }
        func numbers(_ key: Substring) throws(WindowText.Problem) -> [Int] {
            guard let value = parts.removeValue(forKey: key) else { return [] }
            var found: [Int] = []
            for part in value.split(separator: ",", omittingEmptySubsequences: false) {
                guard let number = Int(part) else { throw bad("\(key)=\(value)") }
                found.append(number)
            }
            return found
        }
        let frequency = parts.removeValue(forKey: "FREQ") ?? ""
        let intervals = try numbers("INTERVAL")
        guard intervals.isEmpty || intervals == [1] else { throw bad("INTERVAL other than 1") }
        // On which day a week begins matters only for intervals, which are all 1.
        if let start = parts.removeValue(forKey: "WKST"), !codes.contains(String(start)) { throw bad("WKST=\(start)") }
        let months = try numbers("BYMONTH")
        guard months.allSatisfy({ (1...12).contains($0) }) else { throw bad("BYMONTH") }
        let positions = try numbers("BYSETPOS")
        let monthDays = try numbers("BYMONTHDAY")
        let weekdays =
            parts.removeValue(forKey: "BYDAY").map {
                $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            } ?? []
        if let rest = parts.keys.min() { throw bad("\(rest)") }
        var days: [DaySelector] = []
        switch frequency {
        case "DAILY" where weekdays.isEmpty && monthDays.isEmpty && positions.isEmpty: days = [.daily]
        case "WEEKLY" where !weekdays.isEmpty && monthDays.isEmpty && positions.isEmpty:
            for day in weekdays {
                guard day.count == 2 else { throw bad("BYDAY=\(day) in a weekly rule") }
                days.append(try weekday(day, position: nil))
            }
        case "MONTHLY"
        where monthDays.isEmpty && !weekdays.isEmpty && positions.count <= 1
            && (positions.isEmpty || weekdays.count == 1):
            for day in weekdays { days.append(try weekday(day, position: positions.first)) }
        case "MONTHLY" where weekdays.isEmpty && !monthDays.isEmpty && positions.isEmpty:
            for day in monthDays {
                guard day == -1 || (1...31).contains(day) else { throw bad("BYMONTHDAY=\(day)") }
                days.append(day == -1 ? .lastDay : .day(day))
            }
        default: throw bad("\(text)")
        }
        return Recurrence(days: days, months: Set(months).sorted(), time: 0, duration: 0)
    }

    private static let codes = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]

    /// `TH`, `3TH` or `-1TH`.
    private static func weekday(_ text: String, position: Int?) throws(WindowText.Problem) -> DaySelector {
        guard let index = codes.firstIndex(of: String(text.suffix(2))) else { throw bad("BYDAY=\(text)") }
        let day = Weekday.allCases[index]
        let prefix = text.dropLast(2)
        if prefix.isEmpty, position == nil { return .weekday(day) }
        guard let number = prefix.isEmpty ? position : Int(prefix), prefix.isEmpty || position == nil else {
            throw bad("BYDAY=\(text)")
        }
        switch number {
        case -1: return .last(day)
        case 1...5: return .nth(number, day)
        default: throw bad("BYDAY=\(text)")
        }
    }

    private static func bad(_ what: String) -> WindowText.Problem {
        WindowText.Problem(
            description:
                "\(what): of recurrence rules FREQ=DAILY, WEEKLY with BYDAY, and MONTHLY with BYDAY or BYMONTHDAY "
                + "are understood, all with BYMONTH")
    }
}
