internal import Model
internal import Plans
internal import Windows

/// The bars of a timeline before they are placed: what became of each job and worker when.
struct RunBars {
    enum Subject {
        /// An index into `jobs`.
        case job(Int)
        case worker(WorkerName)
    }

    struct Source {
        var subject: Subject
        var span: RunSpan
        var kind: RunTimeline.Kind
        /// `api upgrade 2`.
        var place: String
        /// What else there is to say of it.
        var note: String
        /// Milliseconds.
        var expected: Int64?

        var title: String { "\(place): \(span.from.utcText), \(durationText(milliseconds: span.milliseconds))\(note)" }
    }

    private(set) var jobs: [String] = []
    private(set) var sources: [Source] = []
    /// Batches, so that there is room for each.
    private(set) var stages = 0
    private var touched = Set<WorkerName>()
    private let order: [WorkerName]
    private let story: RunStory
    private let expectation: Expectation

    /// Milliseconds between steps of one allocation that still are one bar.
    private static let gap: Int64 = 10_000

    init(_ story: RunStory) {
        self.story = story
        expectation = Expectation(story)
        order = story.plan?.fleet.workers.map(\.worker) ?? []
        for section in story.sections {
            for unit in section.graph.units { add(unit, section) }
        }
    }

    var workers: [WorkerName] { order.filter(touched.contains) }

    private mutating func add(_ unit: StepGraph.Unit, _ section: RunStory.Section) {
        let graph = section.graph
        var ofJob: [StepIndex] = []
        var chains: [[StepIndex]] = []
        for stage in unit.stages {
            switch stage {
            case .single(let step): ofJob.append(step)
            case .batch(let batch):
                stages += 1
                ofJob += batch.lead
                chains += batch.chains.map(\.allSteps)
            case .afterHooks(let hooks): chains += hooks.chains.map(\.steps)
            }
        }
        let name = section.isWayBack ? "way back of \(unit.title)" : unit.title
        let own = ofJob.flatMap { bars(of: [$0], graph, .job(jobs.count), name) }
        if !own.isEmpty {
            jobs.append(name)
            sources += own
        }
        for chain in chains {
            guard let worker = chain.lazy.compactMap({ graph.steps[$0].worker }).first else { continue }
            let found = bars(of: chain, graph, .worker(worker), name)
            if found.isEmpty { continue }
            touched.insert(worker)
            sources += found
        }
    }

    /// The times in which steps of one allocation were under way. What failed ends a bar, so that a new attempt is another one.
    private func bars(
        of steps: [StepIndex], _ graph: StepGraph, _ subject: Subject, _ name: String
    ) -> [Source] {
        var found: [Try] = []
        var (half, ninth): (Int64, Int64) = (0, 0)
        for index in steps {
            let step = graph.steps[index]
            if let known = expectation.quantiles(of: step) { (half, ninth) = (half + known.half, ninth + known.ninth) }
            for attempt in story.attempts[step.id] ?? [] where !attempt.isReopened {
                found.append(Try(step, attempt, until: story.head.lastAt))
            }
        }
        guard found.contains(where: { !$0.isInstant }), let first = steps.first else { return [] }
        let groups = Self.groups(found)
        // Of several tries nobody knows what they should take.
        let isWhole = groups.count == 1 && half > 0
        let usual =
            "; earlier half of them within \(durationText(milliseconds: half)), nine of ten within \(durationText(milliseconds: ninth))"
        return groups.map { group in
            let span = group.span
            let isSlow = isWhole && group.kind == .done && span.milliseconds > ninth + 1000
            return Source(
                subject: subject, span: span, kind: isSlow ? .slow : group.kind,
                place: "\(name) \(graph.steps[first].id.place(parts: 2))", note: isWhole ? usual : "",
                expected: isWhole ? half : nil)
        }
    }

    /// One attempt of one step.
    private struct Try {
        var span: RunSpan
        var kind: RunTimeline.Kind
        var isInstant: Bool

        init(_ step: Step, _ attempt: RunStory.Attempt, until last: Timestamp) {
            span = RunSpan(attempt, until: last)
            isInstant =
                switch step.task {
                case .promote, .complete, .order: true
                case .push, .target, .hook, .gate, .bake, .remove, .shell, .boot, .reboot, .pause: false
                }
            kind =
                switch attempt.state {
                case .failed, .unreachable: .failed
                case .unknown, .started: .open
                case .pending, .succeeded, .skipped, .blocked: step.task.rules.isProbe ? .gate : .done
                }
        }
    }

    private static func groups(_ tries: [Try]) -> [(span: RunSpan, kind: RunTimeline.Kind)] {
        var groups: [(span: RunSpan, kind: RunTimeline.Kind)] = []
        for next in tries.sorted(by: { $0.span.from < $1.span.from }) {
            guard let last = groups.last, last.kind != .failed || next.span.from < last.span.to,
                next.span.from.milliseconds - last.span.to.milliseconds <= gap
            else {
                groups.append((next.span, next.kind))
                continue
            }
            groups[groups.count - 1].span.to = max(last.span.to, next.span.to)
            // The worst counts.
            if last.kind == .done || next.kind == .failed { groups[groups.count - 1].kind = next.kind }
        }
        return groups
    }
}
