internal import Model
public import Plans
internal import Windows

/// What differs between two plans, by meaning: what would be done otherwise, and where.
///
/// The catalog revision, the summary (which follows from the rest) and the short names of states are not compared.
public struct PlanDifference {
    enum Sign: String {
        case added = "+"
        case removed = "-"
        case changed = "~"

        var word: String {
            switch self {
            case .added: "new"
            case .removed: "gone"
            case .changed: "changed"
            }
        }
    }

    struct Item {
        let sign: Sign
        let phrase: Phrase
        /// What a worker gets of a file: from what the first plan brings to what the second does.
        var content: FileChange?
    }

    struct Section {
        enum Subject: Equatable {
            case job(JobName)
            case stops
            case wayBack
            case other
        }

        var title: Phrase
        var items: [Item]
        var subject = Subject.other
    }

    private var all: [Section] = []
    /// Nothing differs but jobs that only the second plan has.
    public private(set) var onlyAddsJobs = true
    private let revisions: (old: Int, new: Int)

    /// Lines of one section that are shown; the others are counted.
    private static let shownItems = 200

    /// What the second plan does otherwise than the first.
    public init(_ old: Plan, _ new: Plan) {
        revisions = (old.base.catalogRevision, new.base.catalogRevision)
        compareHeads(old, new)
        compareWorkers(old, new)
        compareRenames(old, new)
        compareParts(old, new)
        compareWaysBack(old, new)
        let facts = FactsDifference(old.facts, new.facts).items
        if !facts.isEmpty { onlyAddsJobs = false }
        add("What hooks are told", facts)
        if all.isEmpty {
            onlyAddsJobs = false
            var other = new
            other.base = old.base
            other.work.body.summary = old.summary
            if other != old {
                add(
                    "Order",
                    [Item(sign: .changed, phrase: "the same, listed in another order or under other names of states")])
            }
        }
    }

    /// What is done.
    private mutating func compareParts(_ old: Plan, _ new: Plan) {
        compareStops(old, new)
        compareJobs(old, new)
    }

    private mutating func compareWaysBack(_ old: Plan, _ new: Plan) {
        switch (old.wholeWayBack, new.wholeWayBack) {
        case (nil, nil): break
        case (_?, nil): add("Way back", [Item(sign: .removed, phrase: "the plan goes back if a job fails")], .wayBack)
        case (nil, _?): add("Way back", [Item(sign: .added, phrase: "the plan goes back if a job fails")], .wayBack)
        case (let before?, let after?):
            if before == after { return }
            let count = all.count
            compareParts(before, after)
            for index in all.indices.dropFirst(count) {
                all[index].title = "Way back: " + all[index].title
                all[index].subject = .wayBack
            }
            if old.wayBack?.remains != new.wayBack?.remains {
                add("Way back", [Item(sign: .changed, phrase: "what is not taken back is another list")], .wayBack)
            }
        }
        onlyAddsJobs = onlyAddsJobs && old.wholeWayBack == nil && new.wholeWayBack == nil
    }

    /// Whether both plans do the same.
    public var isEmpty: Bool { all.isEmpty }

    /// Jobs of the second plan in whose waves anything is otherwise.
    var jobs: Set<JobName> {
        Set(all.compactMap { if case .job(let job) = $0.subject { job } else { nil } })
    }

    var concernsStops: Bool { all.contains { $0.subject == .stops } }
    var concernsWayBack: Bool { all.contains { $0.subject == .wayBack } }

    /// What differs, part by part; what differs alike in several jobs is told once, for all of them.
    var sections: [Section] {
        var places: [String: [Int]] = [:]
        for (index, section) in all.enumerated() {
            guard case .job = section.subject else { continue }
            for item in section.items { places[item.key, default: []].append(index) }
        }
        var shared: [[Int]: [Item]] = [:]
        var order: [[Int]] = []
        var rest = all
        for (index, section) in all.enumerated() {
            guard case .job = section.subject else { continue }
            rest[index].items = section.items.filter { item in
                let jobs = places[item.key] ?? []
                guard jobs.count > 1 else { return true }
                if jobs[0] == index {
                    if shared[jobs] == nil { order.append(jobs) }
                    shared[jobs, default: []].append(item)
                }
                return false
            }
        }
        let first = all.firstIndex { if case .job = $0.subject { true } else { false } } ?? all.endIndex
        let together = order.map { jobs in
            Section(
                title: jobs.map { all[$0].title }.list(first: 12) + " (\(own: Wording.count(jobs.count, "job")))",
                items: shared[jobs] ?? [])
        }
        return (rest[..<first] + together + rest[first...]).filter { !$0.items.isEmpty }
    }

    /// What the signs of `text` mean.
    ///
    /// - Parameters:
    ///   - old: what the first plan is called; shown as it is.
    ///   - new: what the second plan is called.
    public static func legend(_ old: String, _ new: String) -> String {
        "\(Sign.added.rawValue) new: only in \(new). \(Sign.removed.rawValue) gone: only in \(old). "
            + "\(Sign.changed.rawValue) changed: from \(old) to \(new)."
    }

    /// For a terminal, with a line feed at its end.
    ///
    /// - Parameter contents: of both plans' files, to show how contents differ.
    public func text(color: Bool, contents: FileContents = .none) -> String {
        if isEmpty {
            let revisions =
                revisions.old == revisions.new
                ? "" : " They were made at the catalog revisions \(revisions.old) and \(revisions.new)."
            return "The plans do the same.\(revisions)\n"
        }
        return lines(Style(hasColor: color), contents).map { $0 + "\n" }.joined()
    }

    func lines(_ style: Style, _ contents: FileContents = .none) -> [String] {
        var diffs = DiffReader(contents, whole: .all, perFile: 40, total: 1000)
        var lines: [String] = []
        var lists: [HostList] = []
        for section in sections {
            lines.append(style(.heading, section.title.terminal))
            for item in section.items.prefix(Self.shownItems) {
                let part: Style.Part =
                    switch item.sign {
                    case .added: .start
                    case .removed: .stop
                    case .changed: .change
                    }
                lines.append("  \(style(part, "\(item.sign.rawValue) \(item.sign.word):")) \(item.phrase.terminal)")
                for list in item.phrase.longLists where !lists.contains(list) { lists.append(list) }
                switch item.content.flatMap({ diffs.diff(of: $0) }) {
                case nil: break
                case .note(let note): lines.append("      " + style(.detail, "(\(note))"))
                case .lines(let changed, let hidden):
                    lines += changed.map { "      " + style($0.kind.part, FileDiff.text($0)) }
                    if hidden > 0 { lines.append("      " + style(.detail, "… \(Wording.count(hidden, "more line"))")) }
                }
            }
            let rest = section.items.count - Self.shownItems
            if rest > 0 { lines.append("  and \(Wording.count(rest, "more difference"))") }
        }
        for list in lists {
            lines.append("list \(list.digest), \(Wording.count(list.workers.count, "host")):")
            lines += list.full.map { "  " + Wording.safe($0) }
        }
        return lines
    }

    private mutating func add(_ title: Phrase, _ items: [Item], _ subject: Section.Subject = .other) {
        if !items.isEmpty { all.append(Section(title: title, items: items, subject: subject)) }
    }

    // MARK: Head

    private mutating func compareHeads(_ old: Plan, _ new: Plan) {
        var fields = FieldComparison()
        fields.add(old.headChanges(to: new))
        fields.compare("window", old.window, new.window) { $0?.phrase ?? "none" }
        fields.compare("window.freezes", old.window?.freezes, new.window?.freezes) {
            "\(own: Wording.count($0?.count ?? 0, "freeze"))"
        }
        if !fields.items.isEmpty { onlyAddsJobs = false }
        add("Plan", fields.items)
    }

    // MARK: Workers

    private mutating func compareWorkers(_ old: Plan, _ new: Plan) {
        let before = Dictionary(uniqueKeysWithValues: old.fleet.workers.map { ($0.worker, $0) })
        let after = Dictionary(uniqueKeysWithValues: new.fleet.workers.map { ($0.worker, $0) })
        var groups = WorkerGroups()
        for worker in old.fleet.workers {
            guard let other = after[worker.worker] else {
                groups.add(.removed, "no longer needed:", worker.worker)
                continue
            }
            if other == worker { continue }
            var fields = FieldComparison()
            fields.add(worker.changes(to: other))
            for item in fields.items { groups.add(.changed, "\(item.phrase) of", worker.worker) }
        }
        if !groups.items.isEmpty { onlyAddsJobs = false }
        for worker in new.fleet.workers where before[worker.worker] == nil {
            groups.add(.added, "needed:", worker.worker)
        }
        add("Workers", groups.items)
    }

    private mutating func compareRenames(_ old: Plan, _ new: Plan) {
        let (before, after) = (Set(old.renames), Set(new.renames))
        let items =
            old.renames.filter { !after.contains($0) }.map { Item(sign: .removed, phrase: $0.exactPhrase) }
            + new.renames.filter { !before.contains($0) }.map { Item(sign: .added, phrase: $0.exactPhrase) }
        if !items.isEmpty { onlyAddsJobs = false }
        add("Renames", items)
    }

    // MARK: Stops

    private mutating func compareStops(_ old: Plan, _ new: Plan) {
        let before = Dictionary(uniqueKeysWithValues: old.reconcile.map { ($0.allocation, $0) })
        let after = Dictionary(uniqueKeysWithValues: new.reconcile.map { ($0.allocation, $0) })
        var groups = WorkerGroups()
        for stop in old.reconcile {
            let (job, worker) = (stop.allocation.job, stop.allocation.worker)
            guard let other = after[stop.allocation] else {
                groups.add(.removed, "stop \(job) (\(own: Wording.reason(stop.reason))) on", worker)
                continue
            }
            if other == stop { continue }
            var fields = FieldComparison()
            fields.add(stop.changes(to: other))
            fields.compare("from", stop.from, other.from) { $0.phrase }
            for item in fields.items { groups.add(.changed, "stop \(job): \(item.phrase) on", worker) }
        }
        for stop in new.reconcile where before[stop.allocation] == nil {
            groups.add(
                .added, "stop \(stop.allocation.job) (\(own: Wording.reason(stop.reason))) on", stop.allocation.worker)
        }
        var items = groups.items
        func order(_ plan: Plan) -> [JobName] {
            plan.reconcile.map(\.allocation.job).reduce(into: []) { if $0.last != $1 { $0.append($1) } }
        }
        if items.isEmpty, order(old) != order(new) {
            items.append(
                Item(
                    sign: .changed,
                    phrase: "order of jobs: \(order(old).map { "\($0)" }.list()) -> "
                        + order(new).map { "\($0)" }.list()))
        }
        items += stopHooks(old, new)
        if !items.isEmpty { onlyAddsJobs = false }
        add("Stops", items, .stops)
    }

    private func stopHooks(_ old: Plan, _ new: Plan) -> [Item] {
        let before = Dictionary(old.stopHooks.map { ($0.job, $0) }) { $1 }
        let after = Dictionary(new.stopHooks.map { ($0.job, $0) }) { $1 }
        let jobs = old.stopHooks.map(\.job) + new.stopHooks.map(\.job).filter { before[$0] == nil }
        return jobs.flatMap { job -> [Item] in
            func title(_ event: HookEvent) -> Phrase { "\(own: event.rawValue) of \(job)" }
            let (hooks, others) = (before[job], after[job])
            let items = (Plan.StopHooks.events + [.afterAllocationStopped]).flatMap { event in
                HookDifference(hooks?[event] ?? [], others?[event] ?? [], title(event)).items
            }
            guard let hooks, let others else { return items }
            var fields = FieldComparison()
            fields.compare("_modules", hooks.modules, others.modules) { "\(own: $0.short)" }
            fields.compare("timeout", hooks.timeout, others.timeout) { "\($0) s" }
            return items
                + fields.items.map {
                    Item(sign: $0.sign, phrase: title(.afterAllocationStopped) + ": " + $0.phrase)
                }
        }
    }

    // MARK: Jobs

    private mutating func compareJobs(_ old: Plan, _ new: Plan) {
        let before = Self.jobs(old)
        let after = Self.jobs(new)
        for (wave, job) in old.waves.flatMap({ wave in wave.jobs.map { (wave.deploymentSequence, $0) } }) {
            if let (otherWave, other) = after[job.job] {
                if wave == otherWave, job == other { continue }
                let items = JobDifference(job, other, waves: (wave, otherWave)).items
                if !items.isEmpty { onlyAddsJobs = false }
                add("\(job.job)", items, .job(job.job))
            } else {
                onlyAddsJobs = false
                add("\(job.job)", [Item(sign: .removed, phrase: job.existence(in: wave))], .job(job.job))
            }
        }
        for (wave, job) in new.waves.flatMap({ wave in wave.jobs.map { (wave.deploymentSequence, $0) } })
        where before[job.job] == nil {
            add("\(job.job)", [Item(sign: .added, phrase: job.existence(in: wave))], .job(job.job))
        }
    }

    private static func jobs(_ plan: Plan) -> [JobName: (wave: Int, job: Plan.Job)] {
        var jobs: [JobName: (wave: Int, job: Plan.Job)] = [:]
        for wave in plan.waves { for job in wave.jobs { jobs[job.job] = (wave.deploymentSequence, job) } }
        return jobs
    }
}

extension Plan.Job {
    /// The whole job, for a plan that does not have it.
    fileprivate func existence(in wave: Int) -> Phrase {
        let counts = actionCounts.map { "\($0.count) to \($0.action.rawValue)" }
        let what =
            counts.isEmpty
            ? (gateFirst != nil ? "a gate to pass" : runsCommand ? "to run a command" : "to complete")
            : counts.joined(separator: ", ")
        let commands = HookEvent.allCases.flatMap { event in
            hooks(event).map { "\(own: event.rawValue) \($0.command)" as Phrase }
        }
        return "in wave \(wave), \(versionsPhrase): \(own: what)"
            + (commands.isEmpty ? "" : "; hooks " + commands.list())
    }
}

extension PlanDifference.Item {
    /// The same for what is told alike.
    fileprivate var key: String {
        "\(sign.rawValue) \(phrase.terminal) \(content?.from?.hex ?? "") \(content?.to?.hex ?? "")"
    }
}
