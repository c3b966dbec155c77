internal import Catalog
internal import MaandBucket
internal import Model
internal import Plans

extension Adoption {
    /// Which of Maand's rows are taken over.
    struct Choice {
        /// Of which nothing is recorded, or only what Maand has changed since.
        var rows: [MaandRecords.Allocation] = []
        /// Those of them that are taken over once more.
        var again = Set<AllocationID>()
        /// Those that Maand has deployed since they were taken over, and these programs, too.
        var disputed: [AllocationID] = []

        /// - Throws: `CatalogError`.
        init(
            _ records: MaandRecords, _ recorded: [AllocationID: AllocationRecord], _ catalog: Catalog
        ) throws {
            let untouched = try catalog.adopted()
            let states = try catalog.adoptedStates()
            for row in records.allocations {
                if recorded[row.id] == nil {
                    rows.append(row)
                } else if !records.isLost, let state = states[row.id], state != row.state {
                    if untouched.contains(row.id) {
                        rows.append(row)
                        again.insert(row.id)
                    } else {
                        disputed.append(row.id)
                    }
                }
            }
        }
    }
}

/// Makes what is written into the catalog of what was found.
struct AdoptedChanges {
    private let again: Set<AllocationID>
    private let recorded: [AllocationID: AllocationRecord]
    private var changes: [CatalogChange] = []
    private var settled = Set<JobName>()
    private var incomplete = Set<JobName>()
    /// The trees that the changes name.
    private(set) var trees: [Digest: Tree] = [:]

    init(_ choice: Adoption.Choice, _ recorded: [AllocationID: AllocationRecord]) {
        again = choice.again
        self.recorded = recorded
    }

    mutating func add(
        _ outcome: Adoption.Outcome, _ row: MaandRecords.Allocation, _ found: [String: FoundFile],
        _ planned: Taking.Planned
    ) {
        let taking = outcome.taking
        if case .nothing = taking.standing {
            if outcome.isAgain { changes += [.stopped(row.id, removed: true), .adopted(row.id, state: row.state)] }
            return
        }
        let promotedTree = taking.promotedTree(planned, found: found)
        let there = Taking.treeThere(pushed: row.hash?.currentFiles ?? taking.files, planned, found: found)
        for tree in [promotedTree, there] { trees[tree.digest] = tree }
        let promoted = CatalogChange.promoted(
            row.id, Release(version: taking.version, content: promotedTree.digest))
        let began = CatalogChange.began(row.id, Release(version: taking.targetVersion, content: there.digest))
        switch taking.standing {
        case .nothing: return
        case .promoted: changes.append(promoted)
        case .stopped: changes += [promoted, .stopped(row.id, removed: false)]
        case .unfinished: changes += [promoted, began]
        case .begun: changes.append(began)
        }
        if outcome.isAgain { changes.append(.gatePassed(row.id.job, [row.id.worker])) }
        if taking.hasFailedGate {
            changes.append(.gateFailed(row.id.job, covered: [row.id.worker], failing: [row.id.worker]))
        }
        changes.append(.adopted(row.id, state: row.state))
        if taking.standing.isSettled { settled.insert(row.id.job) } else { incomplete.insert(row.id.job) }
    }

    /// All of them. A job is incomplete as long as one of its allocations is.
    var all: [CatalogChange] {
        let others = recorded.filter { !again.contains($0.key) && $0.value.unfinished != nil }.map(\.key.job)
        let complete = settled.subtracting(incomplete).subtracting(others)
            .intersection(again.map(\.job))
        return changes + incomplete.sorted().map { .incomplete($0, true) }
            + complete.sorted().map { .incomplete($0, false) }
    }
}
