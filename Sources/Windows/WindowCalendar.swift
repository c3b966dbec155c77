public import Model

/// The openings of a window, less its freezes: a function of (window, freezes, instant, time-zone rules) and nothing else.
///
/// ```swift
/// let calendar = WindowCalendar(plan.window, rules: rules, freezes: freezes)
/// let next = calendar.openings(from: now, limit: 3)
/// ```
public struct WindowCalendar: Equatable, Sendable {
    /// Nil means always open, but for the freezes.
    private let window: MaintenanceWindow?
    private let rules: ZoneRules
    /// Ascending and apart.
    private let frozen: [FrozenSpan]

    /// What several freezes have in common is one.
    struct FrozenSpan: Equatable, Sendable {
        var from: Timestamp
        var until: Timestamp
        var reason: String
    }

    /// - Parameters:
    ///   - rules: of the window's zone.
    ///   - freezes: beside those of the window.
    public init(_ window: MaintenanceWindow?, rules: ZoneRules, freezes: [Freeze] = []) {
        self.window = window
        self.rules = rules
        var spans: [FrozenSpan] = []
        for freeze in ((window?.freezes ?? []) + freezes).sorted(by: { $0.interval.from < $1.interval.from }) {
            let interval = freeze.interval
            guard interval.from < interval.until else { continue }
            if let last = spans.last, interval.from <= last.until {
                spans[spans.count - 1].until = max(last.until, interval.until)
            } else {
                spans.append(FrozenSpan(from: interval.from, until: interval.until, reason: freeze.reason))
            }
        }
        frozen = spans
    }

    /// A stretch of time in which something may run.
    public struct Opening: Equatable, Sendable {
        public var from: Timestamp
        /// Not in it.
        public var until: Timestamp
        /// By then everything has to have ended.
        public var cutoff: Timestamp
        /// It begins at another local time than the rule says, which does not occur on that day.
        public var isShifted = false
        /// Its end comes from a freeze.
        public var endsInFreeze = false

        /// The end does not belong to it.
        public func contains(_ instant: Timestamp) -> Bool { from <= instant && instant < until }
    }

    /// Whether neither a window nor a freeze restricts anything.
    public var isAlwaysOpen: Bool { window == nil && frozen.isEmpty }

    /// The freeze that holds at an instant: until when, and why.
    public func freeze(at instant: Timestamp) -> (until: Timestamp, reason: String)? {
        frozen.first { $0.from <= instant && instant < $0.until }.map { ($0.until, $0.reason) }
    }

    /// The opening that holds this instant.
    public func opening(at instant: Timestamp) -> Opening? {
        openings(from: instant, limit: 1).first.flatMap { $0.contains(instant) ? $0 : nil }
    }

    /// Openings that end after this instant, in order, at most `limit`; fewer where there are no more within the
    /// `horizon`.
    public func openings(from instant: Timestamp, limit: Int) -> [Opening] {
        var found: [Opening] = []
        var position = instant
        while found.count < limit {
            // What ends within a freeze is of no use, and there may be thousands of years of it.
            if let freeze = freeze(at: position) { position = freeze.until }
            guard let raw = rawOpening(endingAfter: position) else { break }
            for piece in pieces(of: raw) where piece.until > instant && found.count < limit { found.append(piece) }
            if raw.until >= .distantFuture { break }
            position = raw.until
        }
        return found
    }

    // MARK: Rules

    /// Days that are looked ahead: February 29 may be eight years away.
    static let horizon = 8 * 366 + 31
    /// Seconds after which an opening that goes on and on is cut; the next one begins at that instant.
    private static let longest: Int64 = 31 * 86400

    /// The first stretch that the rules leave open and that ends after the instant, whatever is frozen.
    private func rawOpening(endingAfter instant: Timestamp) -> Opening? {
        guard let window, !window.isContinuous else {
            return instant < .distantFuture
                ? Opening(from: .distantPast, until: .distantFuture, cutoff: .distantFuture) : nil
        }
        guard var first = candidate(in: window, endingAfter: instant, beginningBy: nil) else { return nil }
        // What overlaps or touches is one opening.
        while let next = candidate(in: window, endingAfter: first.until, beginningBy: first.until),
            Int64(next.until.seconds) - first.from.seconds <= Self.longest
        {
            first.until = next.until
        }
        first.cutoff = first.until.advanced(bySeconds: -Int64(window.cutoff))
        return first
    }

    /// Of what the single rules open and that ends after the instant, what begins first.
    ///
    /// - Parameter latest: where it is given, only what begins there or before.
    private func candidate(
        in window: MaintenanceWindow, endingAfter instant: Timestamp, beginningBy latest: Timestamp?
    ) -> Opening? {
        var best: Opening?
        for rule in window.openings {
            guard let opening = opening(of: rule, endingAfter: instant, beginningBy: latest) else { continue }
            if best.map({ opening.from < $0.from }) ?? true { best = opening }
        }
        return best
    }

    private func opening(of rule: OpeningRule, endingAfter instant: Timestamp, beginningBy latest: Timestamp?)
        -> Opening?
    {
        switch rule {
        case .once(let interval):
            guard interval.until > instant, latest.map({ interval.from <= $0 }) ?? true else { return nil }
            return Opening(from: interval.from, until: interval.until, cutoff: interval.until)
        case .recurring(let recurrence):
            // The day before last is enough for every zone.
            let first = Int(instant.seconds / 86400) - recurrence.duration / 86400 - 3
            let last = latest.map { Int($0.seconds / 86400) + 3 } ?? first + Self.horizon
            for number in max(0, first)...max(0, last) {
                let date = CivilDate(dayNumber: number)
                guard recurrence.selects(date), let time = CivilTime(date, second: recurrence.time) else { continue }
                let (from, isShifted) = rules.instant(of: time)
                let until = from.advanced(bySeconds: Int64(recurrence.duration))
                guard until > instant else { continue }
                if let latest, from > latest { return nil }
                return Opening(from: from, until: until, cutoff: until, isShifted: isShifted)
            }
            return nil
        }
    }

    // MARK: Freezes

    /// What freezes leave of a stretch.
    private func pieces(of raw: Opening) -> [Opening] {
        let cutoff = Int64(window?.cutoff ?? 0)
        var pieces: [Opening] = []
        var rest = raw
        for span in frozen where span.until > raw.from && span.from < raw.until {
            if span.from > rest.from {
                var piece = rest
                piece.until = span.from
                piece.cutoff = span.from.advanced(bySeconds: -cutoff)
                piece.endsInFreeze = true
                pieces.append(piece)
            }
            rest.from = max(rest.from, span.until)
            rest.isShifted = false
        }
        if rest.from < rest.until { pieces.append(rest) }
        return pieces
    }
}

extension MaintenanceWindow {
    /// Fixed times whose instants are not those of their local times any more: the zone's rules changed since they were
    /// planned. For people.
    public func staleInstants(_ rules: ZoneRules) -> [String] {
        let fixed = openings.compactMap { if case .once(let interval) = $0 { interval } else { nil } }
        return (fixed + freezes.map(\.interval)).compactMap { interval in
            guard let local = interval.local else { return nil }
            let now = FixedInterval(local, in: rules)
            guard now != interval else { return nil }
            return "\(local.from.text) to \(local.until.text) in \(zone) is planned as \(interval.from.utcText) to "
                + "\(interval.until.utcText), and by this machine's time-zone data it is \(now.from.utcText) to "
                + now.until.utcText
        }
    }
}
