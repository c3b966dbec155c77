internal import Model

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
        /// All of the names, if the title has not all of them.
        var names: String?
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
    private(set) var rowHeight = 18

    static let gapWidth = 36
    static let maximumRows = 2000
    private static let maximumBars = 30_000

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
            Gap(x: gap.x, text: "nothing was under way for \(durationText(milliseconds: gap.span.milliseconds))")
        }
        place(bars, axis)
    }

    private mutating func place(_ bars: RunBars, _ axis: RunAxis) {
        let groups = RunRows(bars).groups
        let shown = groups.prefix(max(0, Self.maximumRows - bars.jobs.count))
        hiddenRows = groups.dropFirst(shown.count).reduce(0) { $0 + $1.workers.count }
        rows =
            bars.jobs.map { Row(title: $0, isJob: true) }
            + shown.map {
                Row(title: $0.title, names: $0.workers.count > 1 ? WorkerList.text($0.workers) : nil, isJob: false)
            }
        rowHeight = rows.count <= 200 ? 18 : 14
        func add(_ source: RunBars.Source, row: Int) {
            guard self.bars.count < Self.maximumBars else { return }
            let x = axis.x(source.span.from)
            let least = source.kind == .failed || source.kind == .open ? 11 : 3
            let usual = source.expected.map {
                axis.x(Timestamp(milliseconds: source.span.from.milliseconds + $0))
            }
            self.bars.append(
                Bar(
                    row: row, x: x, width: max(least, axis.x(source.span.to) - x), kind: source.kind,
                    title: source.title, expectedX: usual))
        }
        for source in bars.sources { if case .job(let index) = source.subject { add(source, row: index) } }
        for (index, group) in shown.enumerated() {
            for source in group.bars { add(source, row: bars.jobs.count + index) }
        }
    }
}
