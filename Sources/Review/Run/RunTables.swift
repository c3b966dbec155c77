internal import Model
internal import Plans
internal import Windows

/// A table of a report, for every format.
struct RunTable {
    struct Column {
        var title: String
        var isNumber = false
        var isTime = false
        /// Sentences.
        var isLong = false
    }

    struct Cell {
        var phrase: Phrase
        /// A word that says how something stands; then it is all that the cell has.
        var state: String?
        /// Something went wrong.
        var isBad = false

        var isEmpty: Bool { phrase.markdown.isEmpty }

        init(_ phrase: Phrase) { self.phrase = phrase }

        init(state: String) {
            self.state = state
            phrase = "\(own: state)"
        }

        /// A number; nothing for 0.
        init(_ number: Int, isBad: Bool = false) {
            phrase = number == 0 ? "" : "\(number)"
            self.isBad = isBad && number > 0
        }

        init(_ time: Timestamp?) { phrase = time.map { "\(own: $0.utcText)" } ?? "" }

        init(milliseconds: Int64?) { phrase = milliseconds.map { "\(own: durationText(milliseconds: $0))" } ?? "" }
    }

    let columns: [Column]
    let rows: [[Cell]]

    /// Columns in which nothing stands are left out.
    init(columns: [Column], rows: [[Cell]]) {
        let used = columns.indices.filter { column in rows.contains { !$0[column].isEmpty } }
        self.columns = used.map { columns[$0] }
        self.rows = rows.map { row in used.map { row[$0] } }
    }
}

/// The tables of a report.
enum RunTables {
    static func jobs(_ outline: RunOutline) -> RunTable {
        RunTable(
            columns: [
                .init(title: "job"), .init(title: "wave"), .init(title: "state"), .init(title: "done", isNumber: true),
                .init(title: "failed", isNumber: true), .init(title: "left behind", isNumber: true),
                .init(title: "gates passed", isNumber: true), .init(title: "began", isTime: true),
                .init(title: "took", isNumber: true), .init(title: "usually", isNumber: true),
            ],
            rows: outline.jobs.map { job in
                let name: Phrase = job.isWayBack ? "way back of \(job.name)" : "\(job.name)"
                let gates: Phrase = job.gates == 0 ? "" : "\(job.gatesPassed) of \(job.gates)"
                var cells: [RunTable.Cell] = [
                    .init(name), .init("\(own: job.wave ?? "")"), .init(state: job.state),
                    .init(job.all == 0 ? "" : "\(job.done) of \(job.all)"), .init(job.failed, isBad: true),
                    .init(job.leftBehind, isBad: true), .init(gates), .init(job.from),
                    .init(milliseconds: job.from == nil ? nil : job.busy), .init(milliseconds: job.expected),
                ]
                cells[6].isBad = job.gatesFailed > 0
                return cells
            })
    }

    /// A row for each attempt.
    static func gates(_ gates: [RunOutline.Gate]) -> RunTable {
        RunTable(
            columns: [
                .init(title: "job"), .init(title: "gate"), .init(title: "attempt", isNumber: true),
                .init(title: "began", isTime: true), .init(title: "took", isNumber: true), .init(title: "state"),
                .init(title: "why", isLong: true),
            ],
            rows: gates.flatMap { gate in
                gate.attempts.map { attempt in
                    let took = attempt.endedAt.map { RunSpan(from: attempt.startedAt, to: $0).milliseconds }
                    return [
                        .init("\(gate.job)"), .init("\(gate.place)"), .init(attempt.number),
                        .init(attempt.startedAt), .init(milliseconds: attempt.isReopened ? nil : took),
                        .init(state: attempt.isReopened ? "asked again" : attempt.state.rawValue),
                        .init(attempt.detail.map { "\($0)" } ?? ""),
                    ]
                }
            })
    }

    /// A row for each reason.
    static func leftBehind(_ story: RunStory) -> RunTable {
        var groups: [(job: String, reason: String, workers: [WorkerName])] = []
        var places: [String: Int] = [:]
        for item in story.leftBehind {
            let job = item.subject.job?.text ?? ""
            // Reasons that name the worker are alike but for that.
            let reason = item.subject.worker.map { item.reason.replacing($0.text, with: "(the worker)") } ?? item.reason
            let place = places["\(job) \(reason)"] ?? groups.count
            if place == groups.count {
                places["\(job) \(reason)"] = place
                groups.append((job, reason, []))
            }
            groups[place].workers += item.subject.worker.map { [$0] } ?? []
        }
        return RunTable(
            columns: [
                .init(title: "job"), .init(title: "workers"), .init(title: "number", isNumber: true),
                .init(title: "why", isLong: true),
            ],
            rows: groups.map { group in
                let reason =
                    group.workers.count == 1
                    ? group.reason.replacing("(the worker)", with: group.workers[0].text) : group.reason
                return [
                    .init(group.job.isEmpty ? "(all of the worker)" : "\(group.job)"),
                    .init(WorkerList.whole(group.workers)), .init(group.workers.count), .init("\(reason)"),
                ]
            })
    }

    static func decisions(_ story: RunStory) -> RunTable {
        RunTable(
            columns: [
                .init(title: "when", isTime: true), .init(title: "who"), .init(title: "what"), .init(title: "step"),
                .init(title: "reason", isLong: true),
            ],
            rows: story.decisions.map { decision in
                [
                    .init(decision.at), .init("\(decision.by)"), .init("\(own: decision.what)"),
                    .init(decision.step.map { "\($0.text)" } ?? ""), .init("\(decision.reason)"),
                ]
            })
    }

    /// A row for each time at work, and one for each time between.
    static func parts(_ story: RunStory) -> RunTable {
        var rows: [[RunTable.Cell]] = []
        for (index, part) in story.parts.enumerated() {
            let isLast = index == story.parts.count - 1
            let end = part.endedAt ?? (isLast && story.head.state == "running" ? story.head.readAt : nil)
            let state = part.state ?? (isLast && story.head.state == "running" ? "running" : "interrupted")
            rows.append([
                .init(part.beganAt), .init(milliseconds: end.map { RunSpan(from: part.beganAt, to: $0).milliseconds }),
                .init("\(part.beganBy)"), .init(state: state), .init(part.detail.map { "\($0)" } ?? ""),
            ])
            guard let ended = part.endedAt else { continue }
            let next = isLast ? (story.head.endedAt == nil ? story.head.readAt : nil) : story.parts[index + 1].beganAt
            guard let next, next > ended else { continue }
            let pause = story.decisions.last { $0.what == "pause" && $0.at >= ended && $0.at <= next }
            let until: Phrase = isLast ? "nobody has continued it yet" : "until it was continued"
            rows.append([
                .init(ended), .init(milliseconds: RunSpan(from: ended, to: next).milliseconds), .init(""),
                .init(state: part.state == "parked" || pause != nil ? "parked" : "stopped"),
                .init(pause.map { "paused by \($0.by): \($0.reason); " + until } ?? until),
            ])
        }
        return RunTable(
            columns: [
                .init(title: "from", isTime: true), .init(title: "for", isNumber: true), .init(title: "who"),
                .init(title: "state"), .init(title: "why", isLong: true),
            ], rows: rows)
    }

    /// Lines of an output that a report shows.
    private static let shownLines = 200

    /// Without empty ones at the end.
    static func lastLines(of text: String) -> [Substring] {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        while lines.last?.isEmpty == true { lines.removeLast() }
        return lines.suffix(shownLines)
    }
}
