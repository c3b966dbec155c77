public import Model
public import Plans
public import Windows
internal import YAML

// A plan's window in words, and when it opens next.

extension Plan {
    /// When the plan may run.
    func windowFacts(_ outlook: WindowOutlook?) -> [HeadFact] {
        guard let window else {
            let details = outlook?.phrases ?? []
            return details.isEmpty
                ? [] : [HeadFact(phrase: "has no window, but the freezes of the bucket hold it", details: details)]
        }
        var details = window.freezes.prefix(20).map { freeze -> Phrase in
            let reason: Phrase = freeze.reason.isEmpty ? "" : ": \(freeze.reason)"
            return "frozen \(own: freeze.interval.text)\(reason)"
        }
        if window.freezes.count > 20 { details.append("and \(window.freezes.count - 20) more freezes") }
        return [HeadFact(phrase: window.phrase, details: details + (outlook?.phrases ?? []))]
    }
}

extension MaintenanceWindow {
    var phrase: Phrase {
        let rules = openings.map { opening -> Phrase in
            switch opening {
            case .once(let interval): "once, \(own: interval.text)"
            case .recurring(let recurrence): "\(own: recurrence.text)"
            }
        }
        let rest: Phrase = cutoff == 0 ? "" : ", everything ended \(own: Wording.duration(cutoff)) before its end"
        if isContinuous {
            return "has a window that is always open, but for freezes: \(rules.list("; and ")), in \(zone)"
        }
        return "runs only in its window: \(rules.list("; and ")), in \(zone)" + rest
    }
}

extension FixedInterval {
    fileprivate var text: String {
        let local = local.map { " (\($0.from.text) to \($0.until.text) local)" } ?? ""
        return "\(from.utcText) to \(until.utcText)\(local)"
    }
}

extension Recurrence {
    fileprivate var text: String {
        let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let days = self.days.map(\.text).joined(separator: ", ")
        let months = months.isEmpty ? "" : " of " + self.months.map { names[$0 - 1] }.joined(separator: ", ")
        return "\(days)\(months) at \(CivilTime.text(ofDay: time)) for \(Wording.duration(duration))"
    }
}

extension Wording {
    /// `4 h`, `1 h 30 min`, `2 d 10 h`.
    static func duration(_ seconds: Int) -> String {
        let parts = [
            (seconds / 86400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s"),
        ]
        let text = parts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: " ")
        return text.isEmpty ? "0 s" : text
    }
}

/// When a plan may run next, seen from an instant: its window less all freezes.
public struct WindowOutlook: Sendable {
    /// Openings that are shown.
    public static let count = 3

    /// Whether openings come and go.
    private let hasOpenings: Bool
    private let openings: [Row]
    /// Why there is nothing to show.
    private let problem: Phrase?
    private let isFrozen: Phrase?

    fileprivate struct Row: Sendable {
        var from: Timestamp
        var until: Timestamp
        var localFrom: String
        var localUntil: String
        var isShifted: Bool
        var endsInFreeze: Bool
        /// It has begun.
        var isOpen: Bool

        private var start: String { "\(localFrom) (\(from.utcText))" }
        private var end: String { "\(localUntil) (\(until.utcText))" }

        /// Of a window.
        func text(isFirst: Bool) -> String { "\(isFirst ? "next opening" : "then"): \(start) to \(end)" }

        /// Of a plan that only freezes restrict; nil if none is left.
        var textBetweenFreezes: String? {
            switch (isOpen, until >= .distantFuture) {
            case (true, true): nil
            case (true, false): "may run until \(end)"
            case (false, true): "may run again from \(start)"
            case (false, false): "may run again from \(start) to \(end)"
            }
        }
    }

    /// - Parameters:
    ///   - freezes: the bucket's own, beside those of the plan.
    ///   - freezeZone: in which times are told where the plan has no window.
    ///   - database: has to have the zone.
    /// - Returns: nil where nothing restricts the plan.
    public init?(_ plan: Plan, at now: Timestamp, freezes: [Freeze], freezeZone: String, database: ZoneDatabase) {
        if plan.window == nil, freezes.isEmpty { return nil }
        hasOpenings = plan.window.map { !$0.isContinuous } ?? false
        let zone = plan.window?.zone ?? freezeZone
        guard let rules = database.rules(zone) else {
            problem = "this machine's time-zone data has no \(zone)"
            (openings, isFrozen) = ([], nil)
            return
        }
        let calendar = WindowCalendar(plan.window, rules: rules, freezes: freezes)
        openings = calendar.openings(from: now, limit: Self.count).map { opening in
            Row(
                from: opening.from, until: opening.until, localFrom: rules.text(opening.from),
                localUntil: rules.text(opening.until), isShifted: opening.isShifted,
                endsInFreeze: opening.endsInFreeze, isOpen: opening.from <= now)
        }
        problem = openings.isEmpty && plan.window != nil ? "the window does not open any more" : nil
        isFrozen = calendar.freeze(at: now).map { freeze in
            let until =
                freeze.until >= .distantFuture ? "until somebody takes it out" : "until \(rules.text(freeze.until))"
            return "frozen now, \(own: until)\(freeze.reason.isEmpty ? "" : ": \(freeze.reason)" as Phrase)"
        }
    }

    var phrases: [Phrase] {
        var phrases: [Phrase] = []
        if let isFrozen { phrases.append(isFrozen) }
        if let problem { phrases.append(problem) }
        for (index, row) in openings.enumerated() {
            let notes =
                (row.isShifted ? ", later than the rule: the clocks are set forward over its time" : "")
                + (row.endsInFreeze ? ", ended by a freeze" : "")
            if let time = hasOpenings ? row.text(isFirst: index == 0) : row.textBetweenFreezes {
                phrases.append("\(own: time + notes)")
            }
        }
        return phrases
    }

    /// The openings, for programs.
    static var type: OutputType<WindowOutlook> {
        let rows = OutputType<[Row]>.list(of: .object(Row.table))
        return OutputType(rows.description) { rows.json($0.openings) }
    }
}

extension WindowOutlook.Row {
    fileprivate static var table: OutputTable<Self> {
        OutputTable("next_opening", "A time in which the plan may run.") { fields in
            fields.required("from", .instant, "", \.from)
            fields.required("until", .instant, "", \.until)
            fields.required(
                "local_from", .text, "In the zone of the window; without one in that of the freezes.", \.localFrom)
            fields.required("local_until", .text, "", \.localUntil)
            fields.required("shifted", .boolean, "The rule's local time does not occur on that day.", \.isShifted)
            fields.required("ends_in_freeze", .boolean, "", \.endsInFreeze)
        }
    }
}
