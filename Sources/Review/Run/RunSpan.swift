internal import Model

/// A time in which something of a run was under way.
struct RunSpan: Equatable {
    var from: Timestamp
    var to: Timestamp

    var milliseconds: Int64 { to.milliseconds - from.milliseconds }

    init(from: Timestamp, to: Timestamp) {
        self.from = from
        // A clock that was set back makes no span of less than nothing.
        self.to = max(from, to)
    }

    /// - Parameter last: the end of an attempt that has none.
    init(_ attempt: RunStory.Attempt, until last: Timestamp) {
        self.init(from: attempt.startedAt, to: attempt.endedAt ?? last)
    }

    /// The spans in their order, those that overlap or are close as one.
    ///
    /// - Parameter gap: milliseconds between two spans that still are one.
    static func merged(_ spans: some Sequence<RunSpan>, gap: Int64 = 0) -> [RunSpan] {
        var merged: [RunSpan] = []
        for span in spans.sorted(by: { $0.from < $1.from }) {
            if let last = merged.last, span.from.milliseconds - last.to.milliseconds <= gap {
                merged[merged.count - 1].to = max(last.to, span.to)
            } else {
                merged.append(span)
            }
        }
        return merged
    }
}
