package import Model
package import Windows

/// Whether something may begin now: a function of the calendar, the time and what it is expected to take.
package enum WindowGuard {
    enum Verdict: Equatable, Sendable {
        case begin(until: WindowCalendar.Opening)
        /// No opening holds; `next` is nil where none follows.
        case closed(next: WindowCalendar.Opening?)
        /// It would not have ended by the cutoff of the opening that holds.
        case tooLong(in: WindowCalendar.Opening, next: WindowCalendar.Opening?)
    }

    /// - Parameters:
    ///   - times: what it may be now, where clocks disagree; all of them have to allow it.
    ///   - duration: milliseconds.
    static func verdict(_ calendar: WindowCalendar, at times: [Timestamp], duration: Int64) -> Verdict {
        var allowed: Verdict?
        for now in times {
            let openings = calendar.openings(from: now, limit: 2)
            guard let opening = openings.first, opening.contains(now) else { return .closed(next: openings.first) }
            guard now.milliseconds + duration <= opening.cutoff.milliseconds else {
                return .tooLong(in: opening, next: openings.dropFirst().first)
            }
            if case .begin(let other)? = allowed, other.until <= opening.until { continue }
            allowed = .begin(until: opening)
        }
        return allowed ?? .closed(next: nil)
    }

    /// Whether it would have ended by a cutoff if it began with one of the next openings; `isOver` where only those that
    /// are past, or have begun too long ago, were long enough.
    package static func fits(_ calendar: WindowCalendar, from now: Timestamp, duration: Int64) -> (
        fits: Bool, isOver: Bool
    ) {
        let openings = calendar.openings(from: now, limit: 60)
        for opening in openings
        where
            opening.cutoff.milliseconds - max(opening.from, now).milliseconds >= duration
        { return (true, false) }
        let isOver = openings.allSatisfy { $0.cutoff.milliseconds - $0.from.milliseconds >= duration }
        return (false, isOver)
    }
}
