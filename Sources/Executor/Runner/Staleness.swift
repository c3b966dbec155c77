public import Model
package import Plans

/// A fact that a plan was made on and that no longer holds.
public struct StaleFact: Equatable, Sendable, CustomStringConvertible {
    public let allocation: AllocationID
    /// What it is about: the catalog, or a path on the worker.
    public let fact: String
    public let expected: String
    public let found: String
    /// Somebody has changed it on the worker; nothing that is recorded contradicts the plan.
    let isDrift: Bool
    /// The bytes of a file on both sides; nil where they are not at hand. The worker's are those whose digest it told.
    public let contents: Contents?

    /// What a file holds.
    public struct Contents: Equatable, Sendable {
        /// As the plan takes it to be.
        public let expected: [UInt8]
        /// As it is on the worker.
        public let found: [UInt8]
    }

    public var description: String { "\(allocation): \(fact): expected \(expected), found \(found)" }

    init(
        _ allocation: AllocationID, fact: String, expected: String, found: String, isDrift: Bool,
        contents: Contents? = nil
    ) {
        self.allocation = allocation
        self.isDrift = isDrift
        self.fact = fact
        self.expected = expected
        self.found = found
        self.contents = contents
    }

    /// Nil where the catalog has what was planned.
    init?(_ allocation: AllocationID, planned: FromState, recorded: AllocationRecord) {
        let actual = recorded.fromState
        guard actual != planned else { return nil }
        self.init(
            allocation, fact: "the catalog", expected: Self.text(planned), found: Self.text(actual), isDrift: false)
    }

    /// Secrets of an allocation's files that have other values than when the plan was made.
    package static func changes(
        of secrets: [SecretReference], _ now: [SecretName: SecretFingerprint], _ allocation: AllocationID
    ) -> [StaleFact] {
        secrets.filter { now[$0.name] != $0.fingerprint }.map { secret in
            StaleFact(
                allocation, fact: "the secret \(secret.name)", expected: "the value of when the plan was made",
                found: now[secret.name] == nil ? "no value" : "another value", isDrift: false)
        }
    }

    /// Something runs on a worker of which the plan does not know.
    fileprivate init(unknown allocation: AllocationID, _ record: AllocationRecord) {
        self.init(
            allocation, fact: "the catalog", expected: "nothing that runs there", found: Self.text(record.fromState),
            isDrift: false)
    }

    private static func text(_ state: FromState) -> String {
        var text = "version \(state.version)"
        text += state.content.map { ", content \($0.hex.prefix(12))" } ?? ", no content"
        if let unfinished = state.unfinished { text += ", unfinished \(unfinished.hex.prefix(12))" }
        if state.stopped { text += ", stopped" }
        if state.stoppedByHand { text += ", stopped by a person" }
        if state.isInterrupted { text += " (a target by itself)" }
        return text
    }
}

extension Plan {
    /// The facts of this plan that `catalog` contradicts, in the plan's order. An allocation that the plan does not
    /// touch does not count: so a plan for some jobs stays valid when others change.
    package func staleFacts(in catalog: CatalogSnapshot) -> [StaleFact] {
        var facts: [StaleFact] = []
        func check(_ allocation: AllocationID, _ planned: FromState) {
            let recorded = catalog.allocations[allocation] ?? .none
            if let fact = StaleFact(allocation, planned: planned, recorded: recorded) { facts.append(fact) }
        }
        for stop in reconcile { check(stop.allocation, stop.from) }
        for job in waves.lazy.flatMap(\.jobs) {
            let states = Dictionary(job.from.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
            for entry in job.entries {
                guard let planned = states[entry.from] else { continue }
                check(AllocationID(job: job.job, worker: entry.worker), planned)
            }
            if let first = job.entries.first {
                // Those that somebody else keeps have to be asked for.
                let stored = job.secrets.filter { $0.provider == nil }.map(\.reference)
                facts += StaleFact.changes(
                    of: stored, catalog.fingerprints(of: stored.map(\.name)),
                    AllocationID(job: job.job, worker: first.worker))
            }
        }
        return facts + unknownAllocations(in: catalog)
    }

    /// What has come to run, since the plan was made, on workers that it reboots: it would not be stopped there.
    private func unknownAllocations(in catalog: CatalogSnapshot) -> [StaleFact] {
        guard case .reboot(let reboot) = work else { return [] }
        let workers = Set(reboot.workers.workers)
        let known = Set(waves.flatMap(\.allocations))
        return catalog.allocations.filter { allocation, record in
            record.isRunning && workers.contains(allocation.worker) && !known.contains(allocation)
        }.sorted { $0.key < $1.key }.map { StaleFact(unknown: $0.key, $0.value) }
    }
}
