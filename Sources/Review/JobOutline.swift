internal import Model
internal import Plans

/// Everything that a review says of one job, in the order in which it says it.
struct JobOutline {
    struct Fact {
        enum Weight {
            case strong, normal, detail
        }

        var phrase: Phrase
        let weight: Weight
    }

    /// A phase with its batches.
    struct Phase {
        var title: Phrase
        var items: [BatchOutline.Item]
    }

    let job: JobName
    let versions: Phrase
    let counts: [(action: LifecycleAction, word: String, count: Int)]
    private(set) var facts: [Fact]
    private(set) var phases: [Phase]
    /// Nil if it has no hooks.
    let hooksTitle: Phrase?
    let hookGroups: [HookGroup]
    private(set) var files: [FileOutline.Section]

    init(_ job: Plan.Job, showsFiles: Bool, _ diffs: inout DiffReader) {
        self.job = job.job
        versions = job.versionsPhrase
        counts = job.actionCounts.map {
            ($0.action, $0.action == .run ? "run the target on" : $0.action.rawValue, $0.count)
        }
        facts = Self.facts(job)
        phases = job.phases.map { Phase(title: $0.titlePhrase(in: job), items: BatchOutline($0, of: job).items) }
        hooksTitle = job.hooksPhrase
        hookGroups = job.hookGroups
        files = showsFiles ? FileOutline(job, &diffs).sections : []
    }

    private static func facts(_ job: Plan.Job) -> [Fact] {
        var facts: [Fact] = []
        func add(_ phrase: Phrase?, _ weight: Fact.Weight = .normal) {
            if let phrase { facts.append(Fact(phrase: phrase, weight: weight)) }
        }
        if let cause = job.gateFirst {
            add("gate first: \(own: cause.phrase)", .strong)
        } else {
            add(job.purposeWithoutPhases.map { "\(own: $0)" })
        }
        add(job.recoveryPhrase, .strong)
        add(job.demandsPhrase)
        add(job.orderPhrase)
        add(job.sharesPhrase)
        add(job.gatePhrase.map { "gate: " + $0 })
        add(job.reloadWarning, .strong)
        add(job.failuresPhrase)
        add(job.unreachablePhrase)
        for phrase in job.attemptPhrases { add(phrase, .detail) }
        add(job.portsPhrase, .detail)
        return facts
    }

    mutating func visit(_ body: (inout Phrase) -> Void) {
        for index in facts.indices { body(&facts[index].phrase) }
        for phase in phases.indices {
            body(&phases[phase].title)
            for item in phases[phase].items.indices { phases[phase].items[item].visit(body) }
        }
        for index in files.indices { files[index].visit(body) }
    }
}
