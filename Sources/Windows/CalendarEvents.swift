public import Model

/// When a timer has to fire for a window: calendar events as systemd.time(7) has them.
public struct CalendarEvents: Equatable, Sendable {
    /// One for each rule and each fixed opening that is still to come: the rule itself, in the window's zone.
    public let rules: [String]
    /// Openings at other times than the rules say, in UTC: local times that do not occur that day, at which systemd does
    /// not fire, and the ends of freezes inside of openings.
    public let exceptions: [String]
    /// Until when exceptions were looked for.
    public let horizon: Timestamp

    /// Days for which exceptions are listed.
    private static let days = 2 * 366

    /// - Parameters:
    ///   - rules: of the window's zone.
    ///   - freezes: beside those of the window.
    ///   - now: what ends before is left out.
    public init(_ window: MaintenanceWindow, rules zoneRules: ZoneRules, freezes: [Freeze], from now: Timestamp) {
        var events: [String] = []
        for opening in window.openings {
            switch opening {
            case .once(let interval):
                if interval.until > now { events.append(Self.event(interval, in: window.zone, zoneRules)) }
            case .recurring(let recurrence): events += recurrence.events.map { "\($0) \(window.zone)" }
            }
        }
        rules = events
        horizon = now.advanced(bySeconds: Int64(Self.days) * 86400)
        let frozenUntil = Set((window.freezes + freezes).map(\.interval.until))
        var found: [String] = []
        let calendar = WindowCalendar(window, rules: zoneRules, freezes: freezes)
        for opening in calendar.openings(from: now, limit: Self.days) where opening.from > now {
            if opening.from > horizon { break }
            guard opening.isShifted || frozenUntil.contains(opening.from) else { continue }
            found.append(Self.event(opening.from))
        }
        exceptions = found
    }

    /// In the zone where that says the same instant without doubt.
    private static func event(_ interval: FixedInterval, in zone: String, _ rules: ZoneRules) -> String {
        guard let local = interval.local?.from, rules.local(interval.from).time == local,
            rules.local(interval.from.advanced(bySeconds: -86400)).offset
                == rules.local(interval.from.advanced(bySeconds: 86400)).offset
        else { return event(interval.from) }
        return "\(local.date.text) \(CivilTime.text(ofDay: local.second)) \(zone)"
    }

    private static func event(_ instant: Timestamp) -> String {
        instant.utcText.dropLast().replacing("T", with: " ") + " UTC"
    }
}

extension Recurrence {
    /// Without the zone.
    fileprivate var events: [String] {
        let time = CivilTime.text(ofDay: time)
        let months = months.isEmpty ? "*" : months.map { CivilDate.padded($0) }.joined(separator: ",")
        var events: [String] = []
        var weekdays: [Weekday] = []
        var monthDays: [Int] = []
        for day in days {
            switch day {
            case .daily: events.append("*-\(months)-* \(time)")
            case .weekday(let weekday): weekdays.append(weekday)
            case .nth(let count, let weekday):
                let last = min(count * 7, 31)
                let range = "\(CivilDate.padded(count * 7 - 6))..\(CivilDate.padded(last))"
                events.append("\(weekday.calendarName) *-\(months)-\(range) \(time)")
            // The last seven days of a month.
            case .last(let weekday): events.append("\(weekday.calendarName) *-\(months)~07/1 \(time)")
            case .day(let day): monthDays.append(day)
            case .lastDay: events.append("*-\(months)~01 \(time)")
            }
        }
        if !weekdays.isEmpty {
            events.append("\(weekdays.map(\.calendarName).joined(separator: ",")) *-\(months)-* \(time)")
        }
        if !monthDays.isEmpty {
            events.append("*-\(months)-\(monthDays.map { CivilDate.padded($0) }.joined(separator: ",")) \(time)")
        }
        return events
    }
}

extension Weekday {
    fileprivate var calendarName: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }
}
