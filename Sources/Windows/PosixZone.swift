internal import Model

/// A zone as POSIX's `TZ` writes it, such as `CET-1CEST,M3.5.0,M10.5.0/3`: the last line of a TZif file.
struct PosixZone: Equatable, Sendable {
    /// Seconds east of UTC outside of summer time.
    private var standard = 0
    private var summer: Summer?

    private struct Summer: Equatable, Sendable {
        var offset: Int
        var begin: Rule
        var end: Rule
    }

    /// A day of the year, and when on that day.
    private struct Rule: Equatable, Sendable {
        enum Day: Equatable, Sendable {
            /// 1...365, February 29 is not counted.
            case julian(Int)
            /// 0...365, February 29 is counted.
            case zeroBased(Int)
            /// `week` 5 is the last one; `weekday` 0 is Sunday.
            case weekday(month: Int, week: Int, weekday: Int)
        }

        var day: Day
        /// Seconds since midnight by the clocks before the change; -167...167 hours.
        var time: Int

        /// Seconds since 1970 by the clocks before the change.
        func wall(in year: Int) -> Int64 {
            let first = CivilDate(year: year, month: 1, day: 1)?.dayNumber ?? 0
            let number: Int
            switch day {
            case .julian(let day): number = first + day - 1 + (CivilDate.isLeap(year) && day >= 60 ? 1 : 0)
            case .zeroBased(let day): number = first + day
            case .weekday(let month, let week, let weekday):
                let start = CivilDate(year: year, month: month, day: 1)?.dayNumber ?? 0
                // 1970-01-01 was a Thursday, 4.
                let ahead = (weekday - (start + 4) % 7 + 7) % 7
                let last = start + CivilDate.days(inMonth: month, of: year) - 1
                var day = start + ahead + (week - 1) * 7
                while day > last { day -= 7 }
                number = day
            }
            return Int64(number) * 86400 + Int64(time)
        }
    }

    func offset(at instant: Int64) -> Int {
        guard let summer else { return standard }
        let year = CivilTime(clockSeconds: instant + Int64(standard)).date.year
        let begin = summer.begin.wall(in: year) - Int64(standard)
        let end = summer.end.wall(in: year) - Int64(summer.offset)
        let isSummer = begin < end ? (begin..<end).contains(instant) : !(end..<begin).contains(instant)
        return isSummer ? summer.offset : standard
    }

    func nextTransition(after instant: Int64) -> Int64? {
        guard let summer else { return nil }
        let year = CivilTime(clockSeconds: instant).date.year
        return (max(1970, year - 1)...min(9999, year + 1)).flatMap { year in
            [
                summer.begin.wall(in: year) - Int64(standard), summer.end.wall(in: year) - Int64(summer.offset),
            ]
        }.filter { $0 > instant }.min()
    }

    /// Nil where the text is not of that form.
    init?(_ text: String) {
        var scanner = Scanner(text: Array(text.utf8)[...])
        guard scanner.name(), let offset = scanner.time(hours: 24) else { return nil }
        standard = -offset
        if scanner.text.isEmpty { return }
        guard scanner.name() else { return nil }
        var ahead = standard + 3600
        if scanner.text.first != UInt8(ascii: ",") {
            guard let offset = scanner.time(hours: 24) else { return nil }
            ahead = -offset
        }
        guard scanner.take(","), let begin = scanner.rule(), scanner.take(","), let end = scanner.rule(),
            scanner.text.isEmpty
        else { return nil }
        summer = Summer(offset: ahead, begin: begin, end: end)
    }

    private struct Scanner {
        var text: ArraySlice<UInt8>

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard let first = text.first, first == UInt8(ascii: character) else { return false }
            text = text.dropFirst()
            return true
        }

        /// Three or more letters, or anything between angle brackets.
        mutating func name() -> Bool {
            if take("<") {
                guard let close = text.firstIndex(of: UInt8(ascii: ">")) else { return false }
                text = text[(close + 1)...]
                return true
            }
            let rest = text.drop { ($0 | 0x20) >= UInt8(ascii: "a") && ($0 | 0x20) <= UInt8(ascii: "z") }
            guard text.count - rest.count >= 3 else { return false }
            text = rest
            return true
        }

        mutating func number(_ range: ClosedRange<Int>) -> Int? {
            let digits = text.prefix { (0x30...0x39).contains($0) }
            guard (1...3).contains(digits.count), let number = Int(String(decoding: digits, as: UTF8.self)),
                range.contains(number)
            else { return nil }
            text = text.dropFirst(digits.count)
            return number
        }

        /// `[+-]hh[:mm[:ss]]` in seconds.
        mutating func time(hours: Int) -> Int? {
            let isNegative = take("-")
            if !isNegative { _ = take("+") }
            guard var seconds = number(0...hours).map({ $0 * 3600 }) else { return nil }
            for unit in [60, 1] {
                guard take(":") else { break }
                guard let part = number(0...59) else { return nil }
                seconds += part * unit
            }
            return isNegative ? -seconds : seconds
        }

        mutating func rule() -> Rule? {
            let day: Rule.Day
            if take("M") {
                guard let month = number(1...12), take("."), let week = number(1...5), take("."),
                    let weekday = number(0...6)
                else { return nil }
                day = .weekday(month: month, week: week, weekday: weekday)
            } else if take("J") {
                guard let number = number(1...365) else { return nil }
                day = .julian(number)
            } else {
                guard let number = number(0...365) else { return nil }
                day = .zeroBased(number)
            }
            guard take("/") else { return Rule(day: day, time: 7200) }
            return time(hours: 167).map { Rule(day: day, time: $0) }
        }
    }
}
