internal import Model
internal import Plans
internal import Windows

/// Who was at what when, against what earlier runs took: a row for each job and each worker, time from left to right. Times in
/// which nothing was under way are drawn narrow.
struct RunTimeline {
    /// What became of what a bar stands for.
    enum Kind: String, CaseIterable {
        case done
        /// It took longer than nine of ten earlier ones.
        case slow
        case gate
        case failed
        /// It has no outcome, or an unknown one.
        case open

        var words: String {
            switch self {
            case .done: "done"
            case .slow: "done, slower than nine of ten before"
            case .gate: "gate or bake passed"
            case .failed: "failed"
            case .open: "open or unknown"
            }
        }
        /// In the bar, so that nobody depends on colors.
        var letter: String {
            switch self {
            case .done: ""
            case .slow: "!"
            case .gate: "✓"
            case .failed: "×"
            case .open: "?"
            }
        }
    }

    struct Bar {
        var row: Int
        var x: Int
        var width: Int
        var kind: Kind
        var title: String
        /// Where it was expected to end; nil if no earlier run says it.
        var expectedX: Int?
    }

    struct Row {
        var title: String
        /// A job, and not a worker.
        var isJob: Bool
    }

    /// A time in which nothing was under way.
    struct Gap {
        var x: Int
        var text: String
    }

    /// A time on the axis.
    struct Tick {
        var x: Int
        var text: String
    }

    private(set) var rows: [Row] = []
    private(set) var bars: [Bar] = []
    private(set) var gaps: [Gap] = []
    private(set) var ticks: [Tick] = []
    private(set) var hiddenRows = 0
    private(set) var width = 0
    let rowHeight: Int

    static let gapWidth = 36
    static let maximumRows = 2000
    private static let maximumBars = 30_000
    /// Bars of steps of one allocation with less than these milliseconds between them are one.
    private static let chainGap: Int64 = 10_000

    init(_ story: RunStory) {
        let bars = RunBars(story)
        let last = story.head.lastAt
        let spans = story.attempts.values.lazy.joined().filter { !$0.isReopened }.map { RunSpan($0, until: last) }
        let all = RunSpan.merged(spans)
        let elapsed = (all.last?.to.milliseconds ?? 0) - (all.first?.from.milliseconds ?? 0)
        let axis = RunAxis(
            RunSpan.merged(all, gap: max(30_000, elapsed / 30)), columns: bars.stages)
        width = axis.width
        ticks = axis.ticks
        gaps = axis.gaps.map { gap in
            Gap(x: gap.x, text: "nothing was under way for \(Wording.duration(gap.span.milliseconds))")
        }
        let workers = bars.workers
        let shown = workers.prefix(max(0, Self.maximumRows - bars.jobs.count))
        hiddenRows = workers.count - shown.count
        rows = bars.jobs.map { Row(title: $0, isJob: true) } + shown.map { Row(title: $0.text, isJob: false) }
        rowHeight = rows.count <= 200 ? 18 : 14
        let places = Dictionary(uniqueKeysWithValues: shown.enumerated().map { ($1, bars.jobs.count + $0) })
        for source in bars.sources.prefix(Self.maximumBars) {
            let row: Int
            switch source.subject {
            case .job(let index): row = index
            case .worker(let worker):
                guard let place = places[worker] else { continue }
                row = place
            }
            let x = axis.x(source.span.from)
            let least = source.kind == .failed || source.kind == .open ? 11 : 3
            self.bars.append(
                Bar(
                    row: row, x: x, width: max(least, axis.x(source.span.to) - x), kind: source.kind,
                    title: source.title,
                    expectedX: source.expected.map {
                        axis.x(Timestamp(milliseconds: source.span.from.milliseconds + $0))
                    }))
        }
    }
}

/// The bars of a timeline before they are placed.
private struct RunBars {
    enum Subject {
        /// An index into `jobs`.
        case job(Int)
        case worker(WorkerName)
    }

    struct Source {
        var subject: Subject
        var span: RunSpan
        var kind: RunTimeline.Kind
        var title: String
        /// Milliseconds.
        var expected: Int64?
    }

    private(set) var jobs: [String] = []
    private(set) var sources: [Source] = []
    /// Batches, so that there is room for each.
    private(set) var stages = 0
    private var touched = Set<WorkerName>()
    private let order: [WorkerName]
    private let story: RunStory
    private let expectation: Expectation

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
        let own = ofJob.flatMap { bars(of: [$0], graph, .job(jobs.count), name, gap: 0) }
        if !own.isEmpty {
            jobs.append(name)
            sources += own
        }
        for chain in chains {
            guard let worker = chain.lazy.compactMap({ graph.steps[$0].worker }).first else { continue }
            let found = bars(of: chain, graph, .worker(worker), name, gap: 10_000)
            if found.isEmpty { continue }
            touched.insert(worker)
            sources += found
        }
    }

    /// The times in which steps of one allocation were under way.
    private func bars(
        of steps: [StepIndex], _ graph: StepGraph, _ subject: Subject, _ name: String, gap: Int64
    ) -> [Source] {
        var found: [(span: RunSpan, state: StepState, isProbe: Bool, isReal: Bool)] = []
        var (half, ninth): (Int64, Int64) = (0, 0)
        for index in steps {
            let step = graph.steps[index]
            if let known = expectation.quantiles(of: step) { (half, ninth) = (half + known.half, ninth + known.ninth) }
            for attempt in story.attempts[step.id] ?? [] where !attempt.isReopened {
                let isInstant = switch step.task { case .promote, .complete, .order: true; default: false }
                found.append((RunSpan(attempt, until: story.head.lastAt), attempt.state, step.task.rules.isProbe, !isInstant))
            }
        }
        guard found.contains(where: \.isReal), let first = steps.first else { return [] }
        let place = graph.steps[first].id.place(parts: 2)
        let spans = RunSpan.merged(found.map(\.span), gap: gap)
        return spans.map { span in
            let states = found.filter { $0.span.from >= span.from && $0.span.to <= span.to }
            let kind = Self.kind(states.map(\.state), isProbe: states.contains(where: \.isProbe))
            // Of several tries nobody knows what they should take.
            let isWhole = spans.count == 1 && half > 0
            let isSlow = isWhole && kind == .done && span.milliseconds > ninth + 1000
            let usual = isWhole ? "; earlier half of them within \(Wording.duration(half)), nine of ten within \(Wording.duration(ninth))" : ""
            return Source(
                subject: subject, span: span, kind: isSlow ? .slow : kind,
                title: "\(name) \(place): \(span.from.utcText), \(Wording.duration(span.milliseconds))\(usual)",
                expected: isWhole ? half : nil)
        }
    }

    private static func kind(_ states: [StepState], isProbe: Bool) -> RunTimeline.Kind {
        if states.contains(where: { $0 == .failed || $0 == .unreachable }) { return .failed }
        if states.contains(where: { $0 == .unknown || $0 == .started }) { return .open }
        return isProbe ? .gate : .done
    }
}

/// Time from left to right.
private struct RunAxis {
    private let busy: [RunSpan]
    /// Where each busy span begins.
    private var starts: [Int] = []
    private let scale: Double
    private(set) var width = 0

    /// - Parameter columns: that should be told apart.
    init(_ busy: [RunSpan], columns: Int) {
        self.busy = busy
        let total = max(1, busy.reduce(0) { $0 + $1.milliseconds })
        let room = min(2400, max(860, columns * 5))
        scale = Double(room) / Double(total)
        for (index, span) in busy.enumerated() {
            if index > 0 { width += RunTimeline.gapWidth }
            starts.append(width)
            width += Int((Double(span.milliseconds) * scale).rounded(.up)) + 12
        }
    }

    var gaps: [(x: Int, span: RunSpan)] {
        zip(busy, busy.dropFirst()).enumerated().map { index, pair in
            (starts[index + 1] - RunTimeline.gapWidth, RunSpan(from: pair.0.to, to: pair.1.from))
        }
    }

    func x(_ time: Timestamp) -> Int {
        guard let index = busy.lastIndex(where: { $0.from <= time }) else { return 0 }
        let offset = min(time.milliseconds, busy[index].to.milliseconds) - busy[index].from.milliseconds
        return starts[index] + Int(Double(offset) * scale)
    }

    private static let steps: [Int64] = [
        1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400,
    ]

    /// Round times, at least 80 points apart.
    var ticks: [RunTimeline.Tick] {
        var ticks: [RunTimeline.Tick] = []
        let step = Self.steps.first { Double($0) * 1000 * scale >= 80 } ?? 86_400
        for (index, span) in busy.enumerated() {
            ticks.append(.init(x: starts[index], text: text(span.from, withDate: true)))
            var next = (span.from.milliseconds / 1000 / step + 1) * step
            while next * 1000 <= span.to.milliseconds {
                let time = Timestamp(milliseconds: next * 1000)
                if x(time) - starts[index] >= 110 { ticks.append(.init(x: x(time), text: text(time, withDate: false))) }
                next += step
            }
        }
        return ticks
    }

    private func text(_ time: Timestamp, withDate: Bool) -> String {
        let text = time.utcText
        let clock = text.dropFirst(11).prefix(8)
        return withDate ? "\(text.dropFirst(5).prefix(5)) \(clock)" : String(clock)
    }
}
