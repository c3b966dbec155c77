public import Model

/// A fact that a plan was made on and that no longer holds.
public struct StaleFact: Equatable, Sendable, CustomStringConvertible {
    public let allocation: AllocationID
    public let planned: FromState
    public let actual: FromState

    public var description: String {
        "\(allocation): planned from \(Self.text(planned)), the catalog has \(Self.text(actual))"
    }

    private static func text(_ state: FromState) -> String {
        var text = "version \(state.version)"
        text += state.content.map { ", content \($0.hex.prefix(12))" } ?? ", no content"
        if let unfinished = state.unfinished { text += ", unfinished \(unfinished.hex.prefix(12))" }
        if state.stopped { text += ", stopped" }
        return text
    }
}

extension Plan {
    /// The facts of this plan that `catalog` contradicts, in the plan's order. An allocation that the plan does not
    /// touch does not count (DESIGN 5).
    func staleFacts(in catalog: CatalogSnapshot) -> [StaleFact] {
        var facts: [StaleFact] = []
        func check(_ allocation: AllocationID, _ planned: FromState) {
            let actual = (catalog.allocations[allocation] ?? .none).fromState
            if actual != planned { facts.append(StaleFact(allocation: allocation, planned: planned, actual: actual)) }
        }
        for stop in reconcile { check(stop.allocation, stop.from) }
        for job in waves.lazy.flatMap(\.jobs) {
            let states = Dictionary(job.from.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
            for entry in job.phases.lazy.flatMap(\.batches).joined() {
                guard let planned = states[entry.from] else { continue }
                check(AllocationID(job: job.job, worker: entry.worker), planned)
            }
        }
        return facts
    }
}
