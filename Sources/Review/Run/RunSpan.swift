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

extension Wording {
    /// `0.4 s`, `48 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
    static func duration(_ milliseconds: Int64) -> String {
        let seconds = milliseconds / 1000
        switch seconds {
        case ..<10: return "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s"
        case ..<60: return "\(seconds) s"
        case ..<3600: return "\(seconds / 60) min" + (seconds % 60 == 0 ? "" : " \(seconds % 60) s")
        case ..<86400: return "\(seconds / 3600) h" + (seconds / 60 % 60 == 0 ? "" : " \(seconds / 60 % 60) min")
        default: return "\(seconds / 86400) d" + (seconds / 3600 % 24 == 0 ? "" : " \(seconds / 3600 % 24) h")
        }
    }
}
