public import Model
public import Windows
internal import YAML

extension MaintenanceWindow: Record, FieldValue {
    static let title = "window"
    static let meaning = "When the run may start batches: openings, without the freezes."
    static let style = Emitter.Style.block
    static let blank = MaintenanceWindow(zone: "", openings: [])

    mutating func visit(_ fields: inout some Fields) {
        fields.required("zone", &zone, .text(.zone), "the IANA name of the time zone of all local times")
        fields.required(
            "openings", &openings,
            ListType(element: RecordType(), style: .block, minimum: 1, maximum: Self.maximumOpenings),
            "the window is open while at least one of these is open")
        fields.required(
            "cutoff_seconds", &cutoff, .integer(0...Self.durations.upperBound),
            "all work must end this long before the end of an opening")
        fields.required(
            "freezes", &freezes, ListType(element: RecordType(), style: .block, maximum: Self.maximumFreezes),
            "nothing starts in them")
    }

    func check(_ report: RecordReport) {
        if let problem { report.error(problem) }
    }
}

extension OpeningRule: Record, FieldValue {
    static let title = "opening"
    static let meaning = "A time in which the run may start batches: a repeated one, or a fixed one."
    static var blank: Self { .once(.blank) }
    static var forms: [Self] { [.recurring(.blank), .once(.blank)] }

    mutating func visit(_ fields: inout some Fields) {
        if let isRecurring = fields.isThere("on") { self = isRecurring ? .recurring(.blank) : .once(.blank) }
        switch self {
        case .recurring(var recurrence):
            recurrence.visit(&fields)
            self = .recurring(recurrence)
        case .once(var interval):
            interval.visit("not_before", "not_after", &fields)
            self = .once(interval)
        }
    }

    func check(_ report: RecordReport) {
        guard case .recurring(let recurrence) = self else { return }
        if zip(recurrence.months, recurrence.months.dropFirst()).contains(where: { $0 >= $1 }) {
            report.error("months", "the months do not ascend")
        }
    }
}

extension Recurrence {
    fileprivate static let blank = Recurrence(days: [], time: 0, duration: 1)

    fileprivate mutating func visit(_ fields: inout some Fields) {
        fields.required(
            "on", &days, ListType(element: ParsedType(), minimum: 1),
            "days: `daily`, `tue`, `third thu`, `last fri`, `day 15`, `last day`")
        fields.optional(
            "months", &months, ListType(element: .integer(1...12)), default: [],
            "numbers of the months, ascending; all if it is missing")
        var time = TimeOfDay(seconds: time)
        fields.required("at", &time, "local time of day, such as `22:00:00`")
        self.time = time.seconds
        fields.required(
            "duration_seconds", &duration, .integer(MaintenanceWindow.durations), "the length in elapsed seconds")
    }
}

extension FixedInterval {
    fileprivate static let blank = FixedInterval(from: .distantFuture, until: .distantFuture)

    fileprivate mutating func visit(_ first: String, _ last: String, _ fields: inout some Fields) {
        fields.required(first, &from, "the start, in UTC; it is included")
        fields.required(last, &until, "the end, in UTC; it is not included")
        var times = local.map { [$0.from, $0.until] }
        fields.optional(
            "local", &times, ListType(element: ParsedType(), minimum: 2, maximum: 2),
            "the same two times as local times of the zone")
        local = times.flatMap { $0.count == 2 ? LocalInterval(from: $0[0], until: $0[1]) : nil }
    }
}

extension Freeze: Record, FieldValue {
    static let title = "freeze"
    static let meaning = "A time in which nothing starts."
    static let blank = Freeze(.blank)

    mutating func visit(_ fields: inout some Fields) {
        interval.visit("from", "until", &fields)
        fields.optional("reason", &reason, default: "", "for people")
    }
}

// MARK: Texts

/// Seconds since local midnight, 0...86399.
private struct TimeOfDay: FieldText, FieldValue {
    var seconds: Int

    init(seconds: Int) { self.seconds = seconds }

    init?(fieldText: String) {
        guard let seconds = CivilTime.second(ofDay: fieldText) else { return nil }
        self.seconds = seconds
    }

    var fieldText: String { CivilTime.text(ofDay: seconds) }
    static let title = "time_of_day"
    static let format = TextFormat(
        words: "a time of day", pattern: "^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$",
        problem: { _ in "expected a time of day, such as \"22:00:00\"" })
}

extension Timestamp: FieldText, FieldValue {
    init?(fieldText: String) { self.init(utcText: fieldText) }
    var fieldText: String { utcText }
    static let title = "instant"
    static let format = TextFormat(
        words: "an instant in UTC", pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
        problem: { _ in "expected a time in UTC, such as \"2026-12-01T21:00:00Z\"" })
}

extension CivilTime: FieldText, FieldValue {
    init?(fieldText: String) { self.init(fieldText) }
    var fieldText: String { text }
    static let title = "local_time"
    static let format = TextFormat(
        words: "a local time", pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}$",
        problem: { _ in "expected a local time, such as \"2026-12-01T22:00:00\"" })
}

extension DaySelector: FieldText, FieldValue {
    init?(fieldText: String) { self.init(fieldText) }
    var fieldText: String { text }
    static let title = "days"
    static let format = TextFormat(
        words: "days",
        pattern: "^(daily|((first|second|third|fourth|fifth|last) )?(mon|tue|wed|thu|fri|sat|sun)|"
            + "day ([1-9]|[12][0-9]|3[01])|last day)$",
        note: "such as \"daily\", \"tue\", \"third thu\", \"last day\"", problem: { _ in "this is no day" })
}
