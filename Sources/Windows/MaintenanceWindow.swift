public import Model

/// When a plan may be executed: openings, and times that are taken out of them.
///
/// All intervals are half-open: an opening holds its first instant and not its last.
public struct MaintenanceWindow: Equatable, Sendable {
    /// IANA name of the zone of all local times.
    public var zone: String
    /// 1...`maximumOpenings`; the window is open while at least one of them is, and overlapping ones count as one.
    public var openings: [OpeningRule]
    /// Seconds before the end of an opening by which everything has to have ended; less than every duration.
    public var cutoff: Int
    /// Beat the openings; at most `maximumFreezes`.
    public var freezes: [Freeze]

    public init(zone: String, openings: [OpeningRule], cutoff: Int = 0, freezes: [Freeze] = []) {
        self.zone = zone
        self.openings = openings
        self.cutoff = cutoff
        self.freezes = freezes
    }

    /// Whether it is open at any time that no freeze takes out.
    public var isContinuous: Bool {
        openings.contains { if case .recurring(let recurrence) = $0 { recurrence.isContinuous } else { false } }
    }

    /// Openings that one window may have.
    package static let maximumOpenings = 64
    /// Freezes that one window may have.
    package static let maximumFreezes = 1000
    /// Seconds that a recurring opening may last: a minute would be of little use, but tests are patient.
    public static let durations = 1...7 * 86400
}

/// Where openings come from.
public enum OpeningRule: Equatable, Sendable {
    case once(FixedInterval)
    case recurring(Recurrence)
}

/// Two instants, and the local times that they were meant to be.
public struct FixedInterval: Equatable, Sendable {
    public var from: Timestamp
    /// After `from`; not in the interval.
    public var until: Timestamp
    /// In the window's zone; nil where the instants were given in UTC. The time-zone data may have changed since they
    /// were translated: see `MaintenanceWindow.staleInstants`.
    public var local: LocalInterval?

    public init(from: Timestamp, until: Timestamp, local: LocalInterval? = nil) {
        self.from = from
        self.until = until
        self.local = local
    }

    /// Translates local times; times that do not occur become the next that do.
    public init(_ local: LocalInterval, in rules: ZoneRules) {
        self.init(
            from: rules.instant(of: local.from).instant, until: rules.instant(of: local.until).instant, local: local)
    }
}

/// From one local time to another, in the window's zone; half open.
public struct LocalInterval: Equatable, Sendable {
    public var from: CivilTime
    public var until: CivilTime

    public init(from: CivilTime, until: CivilTime) {
        self.from = from
        self.until = until
    }
}

/// An opening on certain days, always at the same local time.
public struct Recurrence: Equatable, Sendable {
    /// An opening begins on a day that any of them selects; at least one.
    public var days: [DaySelector]
    /// 1...12, ascending; empty means every month.
    public var months: [Int]
    /// Seconds since local midnight, 0...86399.
    public var time: Int
    /// Seconds that elapse from the opening to its end, whatever the clocks do meanwhile; `MaintenanceWindow.durations`.
    public var duration: Int

    public init(days: [DaySelector], months: [Int] = [], time: Int, duration: Int) {
        self.days = days
        self.months = months
        self.time = time
        self.duration = duration
    }

    /// Whether each opening ends when the next one begins, or later: it opens every day and lasts 24 hours. On the day on which
    /// the clocks are set back, too, although that day is longer.
    var isContinuous: Bool {
        duration >= 86400 && (months.isEmpty || Set(months) == Set(1...12))
            && (days.contains(.daily) || Weekday.allCases.allSatisfy { days.contains(.weekday($0)) })
    }

    /// Whether no year has such a day, as with the 31st of February. Every other selector finds a day in each month, in some
    /// year.
    var neverOccurs: Bool {
        let lengths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        let longest = months.isEmpty ? 31 : months.map { lengths[($0 + 11) % 12] }.max() ?? 31
        return days.allSatisfy { if case .day(let day) = $0 { day > longest } else { false } }
    }

    func selects(_ date: CivilDate) -> Bool {
        (months.isEmpty || months.contains(date.month)) && days.contains { $0.selects(date) }
    }
}

/// Some days of every month.
public enum DaySelector: Hashable, Sendable {
    case daily
    case weekday(Weekday)
    /// The n-th such day of a month, 1...5; a month without a fifth one has none.
    case nth(Int, Weekday)
    case last(Weekday)
    /// 1...31; a month without that day has none.
    case day(Int)
    case lastDay

    func selects(_ date: CivilDate) -> Bool {
        switch self {
        case .daily: true
        case .weekday(let weekday): date.weekday == weekday
        case .nth(let count, let weekday): date.weekday == weekday && (date.day - 1) / 7 + 1 == count
        case .last(let weekday): date.weekday == weekday && date.day + 7 > date.daysInMonth
        case .day(let day): date.day == day
        case .lastDay: date.day == date.daysInMonth
        }
    }

    static let ordinals = ["first", "second", "third", "fourth", "fifth"]

    /// `daily`, `tue`, `third thu`, `last fri`, `day 15` or `last day`.
    public var text: String {
        switch self {
        case .daily: "daily"
        case .weekday(let weekday): weekday.rawValue
        case .nth(let count, let weekday): "\(Self.ordinals[count - 1]) \(weekday.rawValue)"
        case .last(let weekday): "last \(weekday.rawValue)"
        case .day(let day): "day \(day)"
        case .lastDay: "last day"
        }
    }

    public init?(_ text: String) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        switch (words.first, words.count) {
        case ("daily", 1): self = .daily
        case ("last", 2) where words[1] == "day": self = .lastDay
        case ("last", 2):
            guard let weekday = Weekday(rawValue: words[1]) else { return nil }
            self = .last(weekday)
        case ("day", 2):
            guard let day = Int(words[1]), (1...31).contains(day), words[1] == String(day) else { return nil }
            self = .day(day)
        case (let first?, 1):
            guard let weekday = Weekday(rawValue: first) else { return nil }
            self = .weekday(weekday)
        case (let first?, 2):
            guard let index = Self.ordinals.firstIndex(of: first), let weekday = Weekday(rawValue: words[1]) else {
                return nil
            }
            self = .nth(index + 1, weekday)
        default: return nil
        }
    }
}

/// A time in which nothing begins, whatever the window says.
public struct Freeze: Equatable, Sendable {
    /// When nothing begins.
    public var interval: FixedInterval
    /// For people; may be empty.
    public var reason: String

    public init(_ interval: FixedInterval, reason: String = "") {
        self.interval = interval
        self.reason = reason
    }
}
