internal import Model

/// The rows of workers in a timeline: one for each, or, of many workers, one for those that did the same in the same batches and
/// with which nothing went wrong.
struct RunRows {
    struct Group {
        var workers: [WorkerName]
        var bars: [RunBars.Source]
        /// Something failed, is open, or was slow.
        var isNotable: Bool

        /// The worker, or the first, the last, and how many there are.
        var title: String {
            guard let first = workers.first, let last = workers.last else { return "" }
            return workers.count == 1 ? first.text : "\(first) … \(last) (\(workers.count))"
        }
    }

    /// Those with which something went wrong first; then in the order of the plan.
    let groups: [Group]

    /// Workers that have a row each.
    private static let few = 60

    init(_ bars: RunBars) {
        var own: [WorkerName: [RunBars.Source]] = [:]
        for source in bars.sources {
            if case .worker(let worker) = source.subject { own[worker, default: []].append(source) }
        }
        let workers = bars.workers
        let isGrouped = workers.count > Self.few
        var groups: [Group] = []
        var places: [[String]: Int] = [:]
        for worker in workers {
            let sources = own[worker] ?? []
            let isNotable = sources.contains { $0.kind != .done && $0.kind != .gate }
            let key = sources.map(\.place)
            guard isGrouped, !isNotable, let place = places[key] else {
                if !isNotable { places[key] = groups.count }
                groups.append(Group(workers: [worker], bars: sources, isNotable: isNotable))
                continue
            }
            groups[place].workers.append(worker)
            for (index, source) in sources.enumerated() { groups[place].bars[index].join(source) }
        }
        for index in groups.indices where groups[index].workers.count > 1 {
            let count = groups[index].workers.count
            for bar in groups[index].bars.indices {
                groups[index].bars[bar].note += "; \(count) workers, from the first to the last"
            }
        }
        self.groups = isGrouped ? groups.filter(\.isNotable) + groups.filter { !$0.isNotable } : groups
    }
}

extension RunBars.Source {
    /// The same of another worker.
    fileprivate mutating func join(_ other: Self) {
        span.from = min(span.from, other.span.from)
        span.to = max(span.to, other.span.to)
        expected = [expected, other.expected].compactMap(\.self).max()
    }
}
