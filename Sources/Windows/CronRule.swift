internal import Model

/// The part of crontab(5) that says on which days, and when on them.
enum CronRule {
    /// Reads the five fields minute, hour, day of month, month and day of week. The duration is left at 0.
    ///
    /// Minute and hour are one number each: an opening is long, and begins once a day.
    static func parse(_ fields: [Substring]) throws(WindowText.Problem) -> Recurrence {
        let minutes = try numbers(fields[0], 0...59)
        let hours = try numbers(fields[1], 0...23)
        guard minutes?.count == 1, hours?.count == 1, let minute = minutes?.first, let hour = hours?.first else {
            throw WindowText.Problem(
                description:
                    "cron \(fields[0]) \(fields[1]): minute and hour are one number each; several openings with `and`")
        }
        let monthDays = try numbers(fields[2], 1...31)
        let months = try numbers(
            fields[3], 1...12,
            names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], first: 1)
        // Sunday is 0 and 7.
        let weekdays = try numbers(
            fields[4], 0...7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"], first: 0)
        // As cron does: where both are restricted, either selects the day.
        var days: [DaySelector] = (monthDays ?? []).map(DaySelector.day)
        if let weekdays {
            let chosen = Set(weekdays.map { ($0 + 6) % 7 })
            days += Weekday.allCases.indices.filter(chosen.contains).map { .weekday(Weekday.allCases[$0]) }
        }
        return Recurrence(
            days: days.isEmpty ? [.daily] : days, months: months ?? [], time: hour * 3600 + minute * 60, duration: 0)
    }

    /// Ascending; nil for `*`.
    private static func numbers(
        _ field: Substring, _ range: ClosedRange<Int>, names: [String] = [], first: Int = 0
    ) throws(WindowText.Problem) -> [Int]? {
        if field == "*" { return nil }
        func number(_ text: Substring) -> Int? {
            if let index = names.firstIndex(of: text.lowercased()) { return index + first }
            guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            return Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
        var found: Set<Int> = []
        for part in field.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
            guard let low = ends.first.flatMap(number), let high = ends.last.flatMap(number), ends.count <= 2,
                low <= high
            else {
                throw WindowText.Problem(
                    description: "\"\(field)\" is no field of cron that is understood: `*`, numbers, `1-5` and lists")
            }
            found.formUnion(low...high)
        }
        return found.sorted()
    }
}
