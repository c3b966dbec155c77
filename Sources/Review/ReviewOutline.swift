internal import Model
public import Plans
internal import Windows

/// Everything that a review says of a plan, in the order in which it says it: worked out once, and then written as text, as
/// Markdown or as HTML.
struct ReviewOutline {
    /// A part of the review below its beginning.
    enum Part {
        /// Stops, before the first wave or after the last.
        case stops(StopsOutline)
        case wave(WaveOutline)
        /// What happens on workers as a whole, or what is said before the way back.
        case lines(title: String, [Phrase])
    }

    let id: String
    let summary: String
    /// The differences from the plan that was approved; nil if there is none.
    private(set) var since: Since?
    private(set) var verdict: Verdict
    /// What holds for all of it: order, failures, time, stopping.
    private(set) var rules: [Fact]
    /// What happens when, for drawing; nil if nobody draws it.
    private(set) var schedule: Schedule?
    /// What is done, in its order, with the way back last.
    private(set) var parts: [Part] = []
    /// The values that hooks get.
    private(set) var hookInput: [Phrase]
    /// How the plan was made, and how workers are reached.
    private(set) var about: [HeadFact]
    private(set) var unpinned: [UnpinnedInput]
    /// All hosts of the lists that are too long for a sentence.
    private(set) var hosts: [HostList] = []

    /// A sentence with a word that says what it is about.
    struct Fact {
        let title: String
        var phrase: Phrase
        var details: [Phrase] = []
    }

    /// A plan that was approved before, and what is different now.
    struct Since {
        let id: String
        let difference: PlanDifference
        /// Jobs of which everything is as it was.
        let unchanged: [JobName]
        /// Points of the beginning that are as they were.
        let concerns: Int
        let stopsAreUnchanged: Bool
    }

    /// - Parameter diffs: gives the differences of files, as long as there is room for more.
    init(
        _ file: PlanFile, _ contents: FileContents, _ diffs: DiffReader, _ context: ReviewContext,
        drawsSchedule: Bool = false
    ) {
        var diffs = diffs
        let plan = file.plan
        let times = ExpectedTimes(plan, context.history)
        id = file.id.description
        summary = plan.summaryLine
        verdict = Verdict(plan, contents, times)
        rules = plan.rules(context.outlook, times.textOfAll)
        schedule = drawsSchedule ? Schedule(plan, times) : nil
        about = plan.aboutFacts
        hookInput = plan.hookInput
        unpinned = plan.unpinned
        if let old = context.since { compare(file, old, contents) }
        addParts(of: plan, contents, &diffs)
        if let (back, facts) = plan.wayBackPart, since == nil || since?.difference.concernsWayBack == true {
            parts.append(.lines(title: "Way back, if a job fails", facts))
            addParts(of: back, contents, &diffs)
        }
        let zones = Dictionary(
            plan.fleet.workers.compactMap { worker in worker.zone.map { (worker.worker, $0) } },
            uniquingKeysWith: { first, _ in first })
        var lists: [HostList] = []
        var known = Set<String>()
        visit { phrase in
            phrase.group(by: zones)
            for list in phrase.longLists where known.insert(list.digest).inserted { lists.append(list) }
        }
        for item in (since?.difference.sections ?? []).flatMap(\.items) {
            for list in item.phrase.longLists where known.insert(list.digest).inserted { lists.append(list) }
        }
        hosts = lists
    }

    // MARK: Parts

    private mutating func addParts(of plan: Plan, _ contents: FileContents, _ diffs: inout DiffReader) {
        let showsStops = !plan.reconcile.isEmpty && since?.stopsAreUnchanged != true
        let stops = showsStops ? StopsOutline(plan, &diffs) : nil
        if let stops, !plan.stopsAreLast { parts.append(.stops(stops)) }
        if let outline = WorkerOutline(plan, contents) {
            parts += outline.sections.map { .lines(title: $0.title, $0.lines) }
        } else {
            let unchanged = Set(since?.unchanged ?? [])
            // A way back in the same plan undoes the changes that are shown above.
            let showsFiles = plan.origin?.isPartOfRun != true
            for wave in plan.waves {
                let jobs = wave.jobs.filter { !unchanged.contains($0.job) }
                if jobs.isEmpty { continue }
                parts.append(
                    .wave(
                        WaveOutline(
                            title: "\(plan.waveTitle) \(wave.deploymentSequence)",
                            jobs: jobs.map { JobOutline($0, showsFiles: showsFiles, &diffs) })))
            }
        }
        if let stops, plan.stopsAreLast { parts.append(.stops(stops)) }
    }

    // MARK: Since

    private mutating func compare(_ file: PlanFile, _ old: PlanFile, _ contents: FileContents) {
        let difference = PlanDifference(old.plan, file.plan)
        let jobs = file.plan.waves.flatMap(\.jobs).map(\.job)
        let changed = difference.jobs.union(
            file.plan.reconcile.lazy.map(\.allocation.job).filter { _ in difference.concernsStops })
        let before = Verdict(old.plan, contents, ExpectedTimes(old.plan, .none))
        let count = verdict.concerns.count
        verdict.keep(changed, before)
        since = Since(
            id: old.id.description, difference: difference, unchanged: jobs.filter { !changed.contains($0) },
            concerns: count - verdict.concerns.count, stopsAreUnchanged: !difference.concernsStops)
        let input = Set(old.plan.hookInput.map(\.terminal))
        hookInput = hookInput.filter { !input.contains($0.terminal) }
        let items = old.plan.unpinned
        unpinned = unpinned.filter { !items.contains($0) }
        let facts = Set(old.plan.aboutFacts.map(\.text))
        about = about.filter { !facts.contains($0.text) }
    }

    // MARK: Phrases

    /// Calls `body` with every phrase that may name hosts.
    private mutating func visit(_ body: (inout Phrase) -> Void) {
        verdict.visit(body)
        for index in rules.indices {
            body(&rules[index].phrase)
            for detail in rules[index].details.indices { body(&rules[index].details[detail]) }
        }
        schedule?.visit(body)
        for index in parts.indices {
            switch parts[index] {
            case .stops(var stops):
                stops.visit(body)
                parts[index] = .stops(stops)
            case .wave(var wave):
                for job in wave.jobs.indices { wave.jobs[job].visit(body) }
                parts[index] = .wave(wave)
            case .lines(let title, var lines):
                for line in lines.indices { body(&lines[line]) }
                parts[index] = .lines(title: title, lines)
            }
        }
        for index in about.indices { about[index].visit(body) }
        for index in unpinned.indices { body(&unpinned[index].phrase) }
    }
}

/// What a review can know beside the plan and the contents of its files.
public struct ReviewContext: Sendable {
    /// How long steps took before.
    public var history = StepHistory.none
    /// When the plan may run next.
    public var outlook: WindowOutlook?
    /// The plan that was approved before: then only what is different is shown.
    public var since: PlanFile?

    /// - Parameters:
    ///   - history: for expected times.
    ///   - outlook: when the plan may run next.
    ///   - since: the plan that was approved before.
    public init(history: StepHistory = .none, outlook: WindowOutlook? = nil, since: PlanFile? = nil) {
        self.history = history
        self.outlook = outlook
        self.since = since
    }
}

extension ReviewOutline.Since {
    /// What is as it was in the plan that was approved; nil if nothing is.
    var unchangedPhrase: Phrase? {
        var parts: [Phrase] = []
        if !unchanged.isEmpty {
            parts.append(
                "\(own: Wording.count(unchanged.count, "job")) (\(unchanged.map { "\($0)" as Phrase }.list(first: 12)))"
            )
        }
        if concerns > 0 { parts.append("\(own: Wording.count(concerns, "point")) to look at first") }
        if stopsAreUnchanged { parts.append("the stops") }
        return parts.isEmpty ? nil : "unchanged since then, and not shown: " + parts.list()
    }
}

/// The jobs of one wave.
struct WaveOutline {
    let title: String
    var jobs: [JobOutline]
}

/// Stops of a plan, with the hooks around them.
struct StopsOutline {
    struct Line {
        /// Job and version.
        let what: Phrase
        var hosts: Phrase
        let reason: String
    }

    let title: String
    let count: Int
    private(set) var lines: [Line]
    let hooks: [(title: Phrase, groups: [HookGroup])]
    private(set) var files: [FileOutline.Section]

    init(_ plan: Plan, _ diffs: inout DiffReader) {
        title = plan.stopsTitle
        count = plan.reconcile.count
        lines = StopGroup.groups(plan.reconcile).map { group in
            Line(
                what: "\(group.stop.allocation.job) \(group.stop.from.version)",
                hosts: WorkerList.phrase(group.workers),
                reason: group.reasonText)
        }
        hooks = plan.stopHooks.map { ($0.titlePhrase, $0.groups(in: plan)) }
        files = plan.stopHooks.compactMap { FileOutline.modules($0.modules, &diffs) }
    }

    mutating func visit(_ body: (inout Phrase) -> Void) {
        for index in lines.indices { body(&lines[index].hosts) }
    }
}

extension HeadFact {
    fileprivate var text: String { ([phrase] + details).map(\.terminal).joined(separator: "\n") }

    fileprivate mutating func visit(_ body: (inout Phrase) -> Void) {
        body(&phrase)
        for index in details.indices { body(&details[index]) }
    }
}
