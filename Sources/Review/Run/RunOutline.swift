internal import Model
internal import Plans

/// What a report says of the jobs, gates and failures of a run: computed from what is recorded.
struct RunOutline {
    /// One job of the plan or of its way back, the stops, or the workers as a whole.
    struct JobRow {
        var name: String
        var isWayBack: Bool
        /// The `deployment_seq` of its wave; nil if it has none.
        var wave: String?
        /// As `status` says it.
        var state: String
        /// Allocations or workers, without those that are left behind.
        var all = 0
        var done = 0
        var failed = 0
        var leftBehind = 0
        var gatesPassed = 0
        var gatesFailed = 0
        var gates = 0
        var from: Timestamp?
        /// When its last attempt ended.
        var to: Timestamp?
        /// Milliseconds; nil if no earlier run says it.
        var expected: Int64?
        /// Milliseconds in which something of it was under way.
        var busy: Int64 = 0
    }

    /// One gate or bake with all its attempts.
    struct Gate {
        var step: StepID
        var job: String
        /// What it asks about: `upgrade batch 2`.
        var place: String
        var attempts: [RunStory.Attempt]
        var isPassed: Bool { attempts.last?.state == .succeeded }
        /// More than once, or not passed.
        var isNotable: Bool { attempts.count > 1 || !isPassed }
    }

    /// Steps that did the same and failed in the same way, with the same output.
    struct Failure {
        /// `api: restart`.
        var what: String
        var state: StepState
        var detail: String?
        var code: String?
        var exitStatus: Int?
        var output: RunStory.Output?
        var workers: [WorkerName]
        var steps: [StepID]
        var attempt: Int
        /// It has succeeded since.
        var isOvercome: Bool
        var firstAt: Timestamp
    }

    let jobs: [JobRow]
    /// In the order of the plan, those that were asked.
    let gates: [Gate]
    /// The worst first: what is still open, then what was overcome.
    let failures: [Failure]

    init(_ story: RunStory) {
        var jobs: [JobRow] = []
        var gates: [Gate] = []
        for section in story.sections {
            for (unit, content) in section.graph.units.indexed {
                jobs.append(Self.row(section, unit, content, story))
            }
            gates += Self.gates(section, story)
        }
        self.jobs = jobs
        self.gates = gates
        failures = Self.failures(story)
    }

    // MARK: Jobs

    private static func row(
        _ section: RunStory.Section, _ unit: UnitIndex, _ content: StepGraph.Unit, _ story: RunStory
    ) -> JobRow {
        let graph = section.graph
        var row = JobRow(
            name: content.title, isWayBack: section.isWayBack, wave: content.waveTitle(in: graph.plan),
            state: section.states.indices.contains(unit.position) ? section.states[unit.position] : "")
        var subjects: [Subject: [StepState]] = [:]
        var left = Set<Subject>()
        var spans: [RunSpan] = []
        for index in content.steps {
            let step = graph.steps[index]
            let attempts = story.attempts[step.id] ?? []
            spans += attempts.lazy.filter { !$0.isReopened }.map { RunSpan($0, until: story.head.lastAt) }
            if step.task.rules.isProbe {
                row.gates += 1
                if attempts.last?.state == .succeeded {
                    row.gatesPassed += 1
                } else if !attempts.isEmpty {
                    row.gatesFailed += 1
                }
            }
            guard step.worker != nil else { continue }
            if graph.isLeftBehind(index) {
                left.insert(step.subject)
            } else {
                subjects[step.subject, default: []].append(attempts.last?.state ?? .pending)
            }
        }
        row.leftBehind = left.subtracting(subjects.keys).count
        row.all = subjects.count
        row.done = subjects.values.count { $0.allSatisfy { $0 == .succeeded || $0 == .skipped } }
        row.failed = subjects.values.count { $0.contains { $0 == .failed || $0 == .unreachable || $0 == .unknown } }
        (row.from, row.to) = (spans.map(\.from).min(), spans.map(\.to).max())
        row.busy = RunSpan.merged(spans).reduce(0) { $0 + $1.milliseconds }
        row.expected = Expectation(story).milliseconds(of: content, in: graph)
        return row
    }

    // MARK: Gates

    private static func gates(_ section: RunStory.Section, _ story: RunStory) -> [Gate] {
        section.graph.steps.compactMap { step in
            guard step.task.rules.isProbe, let attempts = story.attempts[step.id], !attempts.isEmpty else { return nil }
            let name = (section.isWayBack ? "way back of " : "") + (step.job?.text ?? "")
            return Gate(step: step.id, job: name, place: step.id.place(parts: .max), attempts: attempts)
        }
    }

    // MARK: Failures

    private struct Key: Hashable {
        var what: String
        var state: StepState
        var detail: String?
        var output: RunStory.Output?
        var isOvercome: Bool
    }

    private static func failures(_ story: RunStory) -> [Failure] {
        var found: [Failure] = []
        var places: [Key: Int] = [:]
        for section in story.sections {
            for step in section.graph.steps {
                let attempts = story.attempts[step.id] ?? []
                for attempt in attempts where attempt.isFailure {
                    let what = step.failureTitle(isWayBack: section.isWayBack)
                    let isOvercome = attempts.last?.state == .succeeded || attempts.last?.state == .skipped
                    let key = Key(
                        what: what, state: attempt.state, detail: attempt.detail, output: attempt.output,
                        isOvercome: isOvercome)
                    if let place = places[key] {
                        if let worker = step.worker, found[place].workers.last != worker {
                            found[place].workers.append(worker)
                        }
                        found[place].steps.append(step.id)
                        continue
                    }
                    places[key] = found.count
                    found.append(
                        Failure(
                            what: what, state: attempt.state, detail: attempt.detail, code: attempt.code,
                            exitStatus: attempt.exitStatus, output: attempt.output,
                            workers: step.worker.map { [$0] } ?? [], steps: [step.id], attempt: attempt.number,
                            isOvercome: isOvercome, firstAt: attempt.startedAt))
                }
            }
        }
        return found.filter { !$0.isOvercome } + found.filter(\.isOvercome)
    }
}

extension StepID {
    /// Where a step is in its job, such as `upgrade 2`.
    ///
    /// - Parameter parts: how many words at most.
    func place(parts: Int) -> String {
        let words = text.split(separator: "/")
        // The job, behind `rollback` in a way back.
        let own = words.dropFirst(words.first == "rollback" ? 2 : 1)
        return own.prefix(parts).joined(separator: " ")
    }
}

extension RunStory.Attempt {
    /// It has ended, and not well.
    public var isFailure: Bool {
        switch state {
        case .failed, .unreachable, .unknown: !isReopened
        case .pending, .started, .succeeded, .skipped, .blocked: false
        }
    }
}

extension Step {
    fileprivate func failureTitle(isWayBack: Bool) -> String {
        let verb = task.rules.verb
        return (isWayBack ? "way back of " : "") + (job.map { "\($0): \(verb)" } ?? verb)
    }
}

extension StepGraph.Unit {
    /// The name of its job, or what stands for it.
    var title: String {
        switch kind {
        case .stops: "stops"
        case .job(let work): work.job.job.text
        case .workers: "workers"
        }
    }

    fileprivate func waveTitle(in plan: Plan) -> String? {
        guard work != nil, plan.waves.indices.contains(level) else { return nil }
        return "\(plan.waves[level].deploymentSequence)"
    }
}

/// How long steps take, by what they took in earlier runs.
struct Expectation {
    private let earlier: [JobName: [String: [Int64]]]

    init(_ story: RunStory) { earlier = story.earlier.mapValues { $0.mapValues { $0.sorted() } } }

    /// Milliseconds that half, and nine of ten, such steps took at most; nil if none is recorded.
    func quantiles(of step: Step) -> (half: Int64, ninth: Int64)? {
        guard let job = step.job, let samples = earlier[job]?[step.task.rules.verb], !samples.isEmpty else {
            return nil
        }
        return (samples[(samples.count + 1) / 2 - 1], samples[(samples.count * 9 + 9) / 10 - 1])
    }

    /// The usual time of a unit, with its batches one after the other; nil if nothing of it is recorded.
    func milliseconds(of unit: StepGraph.Unit, in graph: StepGraph) -> Int64? {
        var sum: Int64 = 0
        var isKnown = false
        func length(of steps: [StepIndex]) -> Int64 {
            steps.reduce(0) { sum, index in
                guard !graph.isLeftBehind(index), let (half, _) = quantiles(of: graph.steps[index]) else { return sum }
                isKnown = true
                return sum + half
            }
        }
        for stage in unit.stages {
            switch stage {
            case .single(let step): sum += length(of: [step])
            case .batch(let batch):
                sum += length(of: batch.lead) + (batch.chains.lazy.map { length(of: $0.allSteps) }.max() ?? 0)
            case .afterHooks(let hooks): sum += hooks.chains.lazy.map { length(of: $0.steps) }.max() ?? 0
            }
        }
        return isKnown ? sum : nil
    }
}
