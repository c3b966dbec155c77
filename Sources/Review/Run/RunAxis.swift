internal import Model
internal import Windows

/// Time from left to right.
struct RunAxis {
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
            // Its first time needs room.
            width += max(100, Int((Double(span.milliseconds) * scale).rounded(.up)) + 12)
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
                if x(time) - starts[index] >= 110, x(time) <= width - 60 {
                    ticks.append(.init(x: x(time), text: text(time, withDate: false)))
                }
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
