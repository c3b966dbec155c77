public import Model

/// A day of the Gregorian calendar, as people write it; no zone.
public struct CivilDate: Hashable, Sendable, Comparable {
    public let year: Int
    /// 1...12
    public let month: Int
    /// 1...31
    public let day: Int

    /// Nil where there is no such day, or the year is not 1970...9999.
    public init?(year: Int, month: Int, day: Int) {
        guard (1970...9999).contains(year), (1...12).contains(month), day >= 1,
            day <= Self.days(inMonth: month, of: year)
        else { return nil }
        self.year = year
        self.month = month
        self.day = day
    }

    /// Days since 1970-01-01. Counted in eras of 400 years that begin in March, so that the leap day comes last.
    var dayNumber: Int {
        let shifted = month > 2 ? year : year - 1
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// - Parameter dayNumber: days since 1970-01-01; what lies outside of 1970...9999 becomes the nearest day inside.
    public init(dayNumber: Int) {
        let shifted = min(max(dayNumber, 0), 2_932_896) + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * month + 2) / 5 + 1
        self.month = month < 10 ? month + 3 : month - 9
        year = yearOfEra + era * 400 + (self.month <= 2 ? 1 : 0)
    }

    /// By the Gregorian calendar.
    var weekday: Weekday {
        // 1970-01-01 was a Thursday.
        Weekday.allCases[((dayNumber + 3) % 7 + 7) % 7]
    }

    /// Days that its month has, 28...31.
    var daysInMonth: Int { Self.days(inMonth: month, of: year) }

    /// `2026-12-01`
    public var text: String { "\(Self.padded(year, 4))-\(Self.padded(month))-\(Self.padded(day))" }

    public static func < (a: Self, b: Self) -> Bool { a.dayNumber < b.dayNumber }

    static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    static func days(inMonth month: Int, of year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        case 1...12: 31
        default: 0
        }
    }

    static func padded(_ number: Int, _ width: Int = 2) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
}

/// Days of the week, Monday first; raw values are what specifications and plans say.
public enum Weekday: String, Sendable, CaseIterable {
    case monday = "mon"
    case tuesday = "tue"
    case wednesday = "wed"
    case thursday = "thu"
    case friday = "fri"
    case saturday = "sat"
    case sunday = "sun"
}

/// What a clock on a wall shows: a date and a time of day, without a zone.
public struct CivilTime: Hashable, Sendable, Comparable {
    public let date: CivilDate
    /// 0...86399
    public let second: Int

    /// - Parameter second: since midnight, 0...86399.
    public init?(_ date: CivilDate, second: Int) {
        guard (0..<86400).contains(second) else { return nil }
        self.date = date
        self.second = second
    }

    /// Seconds since 1970-01-01 00:00 on the same clock.
    var clockSeconds: Int64 { Int64(date.dayNumber) * 86400 + Int64(second) }

    /// What lies before 1970 or after 9999 becomes the nearest time inside.
    init(clockSeconds: Int64) {
        let bounded = min(max(clockSeconds, 0), 253_402_300_799)
        date = CivilDate(dayNumber: Int(bounded / 86400))
        second = Int(bounded % 86400)
    }

    /// `2026-12-01T22:00:00`
    public var text: String { "\(date.text)T\(Self.text(ofDay: second))" }

    /// `22:00:00`
    public static func text(ofDay second: Int) -> String {
        [second / 3600, second / 60 % 60, second % 60].map { CivilDate.padded($0) }.joined(separator: ":")
    }

    public static func < (a: Self, b: Self) -> Bool { a.clockSeconds < b.clockSeconds }

    /// Reads `2026-12-01`, `2026-12-01T22:00` or `2026-12-01T22:00:00`; a date alone means its first moment.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "T", maxSplits: 1, omittingEmptySubsequences: false)
        let days = parts[0].split(separator: "-", omittingEmptySubsequences: false)
        guard days.count == 3, let year = Self.number(days[0], digits: 4), let month = Self.number(days[1], digits: 2),
            let day = Self.number(days[2], digits: 2), let date = CivilDate(year: year, month: month, day: day)
        else { return nil }
        guard let second = parts.count == 1 ? 0 : Self.second(ofDay: parts[1]) else { return nil }
        self.init(date, second: second)
    }

    /// Reads `22:00` or `22:00:00` as seconds since midnight.
    public static func second(ofDay text: some StringProtocol) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3 else { return nil }
        let numbers = parts.compactMap { number($0, digits: 2) }
        guard numbers.count == parts.count, numbers[0] < 24, numbers[1] < 60, (numbers.count < 3 || numbers[2] < 60)
        else { return nil }
        return numbers[0] * 3600 + numbers[1] * 60 + (numbers.count == 3 ? numbers[2] : 0)
    }

    private static func number(_ text: some StringProtocol, digits: Int) -> Int? {
        guard text.utf8.count == digits, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(text)
    }
}

extension Timestamp {
    /// Before every instant that occurs.
    public static let distantPast = Timestamp(milliseconds: 0)
    /// After every instant that occurs: the end of the year 9999.
    public static let distantFuture = Timestamp(milliseconds: 253_402_300_799_000)

    /// Seconds since 1970, rounded down.
    public var seconds: Int64 { milliseconds / 1000 }

    public init(seconds: Int64) { self.init(milliseconds: seconds * 1000) }

    /// `2026-12-01T21:00:00Z`, whole seconds.
    public var utcText: String { CivilTime(clockSeconds: seconds).text + "Z" }

    /// Reads `2026-12-01T21:00:00Z`, seconds optional.
    public init?(utcText text: some StringProtocol) {
        guard text.hasSuffix("Z"), text.contains("T"), let time = CivilTime(text.dropLast()) else { return nil }
        self.init(seconds: time.clockSeconds)
    }

    /// Elapsed time, whatever clocks show; `count` may be negative.
    public func advanced(bySeconds count: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds + count * 1000) }
}
