internal import Model
internal import Plans

/// What a report of drift has to say, in its order, for every format.
struct DriftOutline {
    /// What a line is about, as a sign before it.
    enum Mark {
        case changed, missing, extra, attention, unhealthy

        var symbol: String {
            switch self {
            case .changed: "~"
            case .missing: "-"
            case .extra: "+"
            case .attention: "!"
            case .unhealthy: "✗"
            }
        }

        var part: Style.Part {
            switch self {
            case .changed, .attention: .change
            case .missing, .unhealthy: .stop
            case .extra: .start
            }
        }
    }

    struct Item {
        let mark: Mark
        let phrase: Phrase
        /// In our own words, behind the phrase; nil for none.
        var note: String?
        /// Lines of a unified diff, not escaped.
        var diff: [String] = []
        var diffLeftOut = 0
    }

    struct Section {
        let title: Phrase
        var items: [Item]
    }

    /// What to know before anything else.
    private(set) var head: [Phrase] = []
    /// One for each job that differs, then those of the workers.
    private(set) var sections: [Section] = []

    init(_ report: DriftReport) {
        head = report.headPhrases
        let differing = Dictionary(grouping: report.differing, by: \.allocation.job)
        let files = Dictionary(grouping: report.files, by: \.job)
        let failing = report.services.filter { !$0.failing.isEmpty }.map { ($0.job, $0) }
        let services = Dictionary(failing, uniquingKeysWith: { first, _ in first })
        for job in Set(differing.keys).union(services.keys).sorted() {
            let items =
                Self.items(differing[job] ?? []) + (files[job] ?? []).map(Item.init)
                + (services[job].map(Self.items) ?? [])
            sections.append(Section(title: "Job \(job)", items: items))
        }
        add("Workers that do not answer", Self.items(report.silent))
        add("Workers of another controller or catalog", Self.items(report.foreign))
        add("Not compared", Self.items(report.notCompared))
        add("Health checks that were not asked", report.services.flatMap(Self.unasked))
    }

    private mutating func add(_ title: Phrase, _ items: [Item]) {
        if !items.isEmpty { sections.append(Section(title: title, items: items)) }
    }

    // MARK: Items

    /// Allocations that differ as such, those that differ in the same way together. Files follow one by one.
    private static func items(_ differing: [DriftReport.Difference]) -> [Item] {
        var items: [Item] = []
        for kind in DriftReport.Kind.allCases where kind != .files {
            var groups: [(difference: DriftReport.Difference, workers: [WorkerName])] = []
            for difference in differing where difference.kinds.contains(kind) {
                let place = groups.firstIndex {
                    ($0.difference.promoted, $0.difference.unfinished, $0.difference.found)
                        == (difference.promoted, difference.unfinished, difference.found)
                }
                if let place {
                    groups[place].workers.append(difference.allocation.worker)
                } else {
                    groups.append((difference, [difference.allocation.worker]))
                }
            }
            items += groups.map { item(kind, $0.difference, $0.workers) }
        }
        return items
    }

    private static func item(
        _ kind: DriftReport.Kind, _ difference: DriftReport.Difference, _ workers: [WorkerName]
    ) -> Item {
        let workers = WorkerList.whole(workers)
        let promoted: Phrase = difference.promoted.map { "\($0)" } ?? "no version"
        switch kind {
        case .files: return Item(mark: .changed, phrase: "files differ on \(workers)")
        case .version:
            return Item(
                mark: .changed,
                phrase: "version \(difference.found ?? "-") is on \(workers), and \(promoted) was promoted")
        case .unfinished:
            return Item(
                mark: .attention,
                phrase:
                    "version \(difference.unfinished ?? "-") was begun on \(workers) and neither promoted nor stopped",
                note: "its files are not compared")
        case .gone:
            return Item(
                mark: .missing, phrase: "nothing of the job is on \(workers), where \(promoted) was promoted")
        case .unexpected:
            let version: Phrase = difference.found.map { "version \($0)" } ?? "the job"
            return Item(
                mark: .extra,
                phrase:
                    "\(version) is on \(workers), where it was removed or given up, or where nothing is recorded of it")
        }
    }

    private static func items(_ service: DriftReport.Service) -> [Item] {
        items(service.failing).map { item in
            Item(mark: .unhealthy, phrase: "the health check does not pass: \(item.phrase)")
        }
    }

    /// Workers of which the same is said together.
    private static func items(_ notes: [DriftReport.WorkerNote]) -> [Item] {
        var places: [String: Int] = [:]
        var groups: [(text: String, workers: [WorkerName])] = []
        for note in notes {
            if let place = places[note.text] {
                groups[place].workers.append(note.worker)
            } else {
                places[note.text] = groups.endIndex
                groups.append((note.text, [note.worker]))
            }
        }
        return groups.map { Item(mark: .unhealthy, phrase: "\(WorkerList.whole($0.workers)): \($0.text)") }
    }

    private static func items(_ notCompared: [DriftReport.NotCompared]) -> [Item] {
        let groups = Dictionary(grouping: notCompared) { [$0.allocation.job.text, $0.obstacle.rawValue, $0.detail] }
        return groups.values.sorted { $0[0].allocation < $1[0].allocation }.map { group in
            let workers = WorkerList.whole(group.map(\.allocation.worker))
            let reason: Phrase =
                switch group[0].obstacle {
                case .changing: "a run has changed it meanwhile"
                case .lost: "what was promoted cannot be read here: \(group[0].detail)"
                case .untold: "the worker cannot tell: \(group[0].detail)"
                }
            return Item(mark: .attention, phrase: "\(group[0].allocation.job) on \(workers): \(reason)")
        }
    }

    private static func unasked(_ service: DriftReport.Service) -> [Item] {
        var items: [Item] = []
        if service.skipsHooks {
            items.append(
                Item(
                    mark: .attention,
                    phrase: "\(service.job): its hooks; \(quoted: "maand-apply health-check") runs them"))
        }
        if !service.unasked.isEmpty {
            let workers = WorkerList.whole(service.unasked)
            items.append(
                Item(
                    mark: .attention,
                    phrase:
                        "\(service.job) on \(workers): its check runs a command there, and this release has not been "
                        + "there yet; \(quoted: "maand-apply health-check") asks it"
                ))
        }
        return items
    }
}

extension DriftOutline.Item {
    fileprivate init(_ file: DriftReport.File) {
        let workers = WorkerList.whole(file.workers)
        let path: Phrase = file.isSealed ? "\(file.path) (with secrets)" : "\(file.path)"
        switch file.change {
        case .changed:
            let what: Phrase = file.thing == .link ? "is a link to another path" : "has other content"
            self.init(mark: .changed, phrase: "\(path) \(what) on \(workers)")
        case .missing: self.init(mark: .missing, phrase: "\(path) is missing on \(workers)")
        case .extra: self.init(mark: .extra, phrase: "\(path) is on \(workers): an earlier push has left it")
        case .replaced:
            let thing: Phrase =
                switch file.thing {
                case .folder: "a folder"
                case .link: "a symbolic link"
                case .file, nil: "a file"
                }
            self.init(mark: .changed, phrase: "\(path) is \(thing) on \(workers), and something else was promoted")
        }
        (diff, diffLeftOut) = (file.diff, file.diffLeftOut)
        guard diff.isEmpty else { return }
        var notes = file.note.map { [$0] } ?? []
        if file.note != nil, let expected = file.expectedSize, let found = file.foundSize {
            notes.append("\(Wording.bytes(expected)) -> \(Wording.bytes(found))")
        }
        note = notes.isEmpty ? nil : notes.joined(separator: ", ")
    }
}
