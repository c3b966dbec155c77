public import Model

extension Plan {
    /// How the entries of a phase are cut into batches.
    public struct Batching: Equatable, Sendable {
        /// Starts at a time; 0 means all at once.
        public var starts: Int
        /// Upgrades at a time, at least 1.
        public var upgrades: Int
        /// Sizes of the first upgrade batches, at least 1 each, where they differ from `upgrades`.
        public var first: [Int]
        /// Name of the worker tag of which no batch holds two values.
        public var spread: String?
        /// Seconds to wait after each gate, and after a batch without one, 0...86400; see `BakeTask`.
        public var bakeSeconds: Int
        /// Allocations of the job that may fail, 0...1000000, before no further batch of it begins.
        public var maxFailures: Int
        /// Allocations of the job that may be left behind because their worker does not answer, 0...1000000.
        public var maxUnreachable: Int

        public init(
            starts: Int, upgrades: Int, first: [Int] = [], spread: String? = nil, bakeSeconds: Int = 0,
            maxFailures: Int = 0, maxUnreachable: Int = 0
        ) {
            self.starts = starts
            self.upgrades = upgrades
            self.first = first
            self.spread = spread
            self.bakeSeconds = bakeSeconds
            self.maxFailures = maxFailures
            self.maxUnreachable = maxUnreachable
        }

        /// What `bakeSeconds` may be.
        public static let bakeRange = 0...86400
        /// What `maxFailures` may be.
        public static let failureRange = 0...1_000_000
        /// What `maxUnreachable` may be.
        public static let unreachableRange = HostCount.range
    }
}

extension Plan.Batching {
    /// Cuts the entries of one phase, which are in rollout order, into batches.
    ///
    /// The planner cuts with it, and so does an executor whose rollout order is replaced by a hook.
    ///
    /// - Parameters:
    ///   - tag: the worker tag that `spread` names, of an entry's worker. Entries with the same value, or none, stay
    ///     together: the groups follow each other as their first entries do, and no batch reaches into the next group.
    ///   - failed: whether the job's last gate named the entry's allocation: these come first.
    public func batches<Entry>(
        of entries: [Entry], in phase: PhaseKind, tag: (Entry) -> String? = { _ in nil },
        failed: (Entry) -> Bool = { _ in false }
    ) -> [[Entry]] {
        let (first, rest) = (entries.filter(failed), entries.filter { !failed($0) })
        let groups = spread == nil ? [first + rest] : groups(first, tag) + groups(rest, tag)
        var batches: [[Entry]] = []
        for group in groups {
            var rest = group[...]
            while !rest.isEmpty {
                let size = size(ofBatch: batches.count, in: phase) ?? rest.count
                batches.append(Array(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
        }
        return batches
    }

    /// Nil where there is no limit.
    private func size(ofBatch index: Int, in phase: PhaseKind) -> Int? {
        switch phase {
        case .start: starts == 0 ? nil : max(starts, 1)
        case .recover, .upgrade, .jobControl, .operation: max(index < first.count ? first[index] : upgrades, 1)
        }
    }

    private func groups<Entry>(_ entries: [Entry], _ tag: (Entry) -> String?) -> [[Entry]] {
        var groups: [[Entry]] = []
        var places: [String?: Int] = [:]
        for entry in entries {
            let value = tag(entry)
            if let place = places[value] {
                groups[place].append(entry)
            } else {
                places[value] = groups.count
                groups.append([entry])
            }
        }
        return groups
    }
}

extension Plan.Batching: Record, FieldValue {
    static let title = "batching"
    static let meaning = "How phases are divided into batches."
    static let blank = Plan.Batching(starts: 0, upgrades: 1)
    private static let sizeRange = 1...1_000_000

    mutating func visit(_ fields: inout some Fields) {
        fields.required(
            "starts", &starts, .integer(0...Self.sizeRange.upperBound),
            "size of a batch of new allocations; 0 means all")
        fields.required("upgrades", &upgrades, .integer(Self.sizeRange), "size of an upgrade batch")
        fields.optional(
            "first", &first, ListType(element: .integer(Self.sizeRange)), default: [],
            "sizes of the first upgrade batches, if they differ")
        fields.optional("spread", &spread, "all workers of a batch have the same value of this tag")
        fields.optional(
            "bake_seconds", &bakeSeconds, .integer(Self.bakeRange), default: 0,
            "seconds to wait after each gate, or after a batch without one; then the health check must pass once more")
        fields.optional(
            "max_failures", &maxFailures, .integer(Self.failureRange), default: 0,
            "batches go on while at most N allocations of the job have failed")
        fields.optional(
            "max_unreachable", &maxUnreachable, .integer(Self.unreachableRange), default: 0,
            "the job goes on without at most N allocations whose workers cannot be used")
    }
}
