internal import Catalog
internal import Model
internal import Synchronization

extension Performer {
    /// Workers that are compared at the same time.
    static let checkWidth = 32
    /// Paths of one worker that are named; the rest is counted.
    static let namedPaths = 5

    /// The facts that a batch depends on and that do not hold, found without touching anything.
    ///
    /// The catalog has to hold the planned `from` of each allocation, and each path on its worker the planned `from` or
    /// `to`. A worker that cannot be asked counts as fresh here: its own push asks again, and says what is wrong.
    ///
    /// - Parameter steps: the first step of each allocation of a batch of which nothing has begun.
    func staleFacts(of steps: [Int]) async throws -> [StaleFact] {
        let records = try recorder.catalog.records(of: steps.compactMap { itinerary.steps[$0].allocation })
        let inCatalog = steps.compactMap { step in
            itinerary.steps[step].allocation.flatMap { allocation in
                itinerary.from(of: step).flatMap {
                    StaleFact(allocation, planned: $0, recorded: records[allocation] ?? .none)
                }
            }
        }
        guard inCatalog.isEmpty else { return inCatalog }
        return await withTaskGroup(of: (Int, [StaleFact]).self) { group in
            var waiting = steps.indices[...]
            func add() {
                guard let index = waiting.popFirst() else { return }
                group.addTask { (index, await drift(steps[index])) }
            }
            for _ in 0..<Self.checkWidth { add() }
            var found: [Int: [StaleFact]] = [:]
            for await (index, facts) in group {
                if !facts.isEmpty { found[index] = facts }
                add()
            }
            return found.sorted { $0.key < $1.key }.flatMap(\.value)
        }
    }

    /// What somebody has changed on the worker of an allocation's first step.
    private func drift(_ step: Int) async -> [StaleFact] {
        guard let allocation = itinerary.steps[step].allocation else { return [] }
        let session: WorkerSession
        do {
            session = try await workforce.session(allocation.worker)
        } catch {
            if error.kind != .refused { silences.note(step, error.reason) }
            return []
        }
        switch itinerary.steps[step].kind {
        case .push: return await driftOfFiles(step, allocation, session)
        case .action(.stop): return await driftOfMakefile(step, allocation, session)
        case .action, .remove, .hook, .order, .promote, .gate, .bake, .complete: return []
        }
    }

    /// A stop runs what is there, which has to be what was promoted. Other files do not matter to it, and one that is gone
    /// runs nothing.
    private func driftOfMakefile(
        _ step: Int, _ allocation: AllocationID, _ session: WorkerSession
    ) async -> [StaleFact] {
        guard let stop = itinerary.stop(of: step), stop.from.unfinished == nil, let content = stop.from.content,
            let files = try? workerEntries(store.tree(content))
        else { return [] }
        let request = PushRequest(
            job: allocation.job.text, target: files, base: files, timeout: .seconds(stop.timeout)
        ) { _ in .empty }
        let report: PushReport
        do {
            report = try await session.compare(request)
        } catch {
            noteSilence(of: step, error)
            return []
        }
        guard case .drift(let paths, _) = report,
            let path = paths.first(where: { $0.path == "Makefile" && $0.actual != .nothing })
        else { return [] }
        return [
            StaleFact(
                allocation, fact: "Makefile on the worker",
                planned: Self.text(files.first { $0.path == "Makefile" }), actual: Self.text(path.actual), isDrift: true
            )
        ]
    }

    /// What somebody has changed on the worker of a push. Where that is nothing, the files already wait beside the job: one
    /// look at the worker serves both.
    private func driftOfFiles(_ step: Int, _ allocation: AllocationID, _ session: WorkerSession) async -> [StaleFact] {
        guard let request = try? pushRequest(step) else { return [] }
        // What an unfinished push left is unknown: nothing there is drift.
        guard let base = request.base else {
            await ask(step, session)
            return []
        }
        let report: PushReport
        do {
            report = try await session.stage(request)
        } catch {
            noteSilence(of: step, error)
            return []
        }
        if report == .asPlanned { staged.add(step) }
        if case .altered(let reason) = report {
            return [
                StaleFact(
                    allocation, fact: "the files on the worker", planned: "as they were promoted", actual: reason,
                    isDrift: true)
            ]
        }
        guard case .drift(let paths, let total) = report else { return [] }
        let before = Dictionary(base.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        let after = Dictionary(request.target.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        var facts = paths.prefix(Self.namedPaths).map { path in
            let planned = [before[path.path], after[path.path]].map { Self.text($0) }
            return StaleFact(
                allocation, fact: "\(path.path) on the worker",
                planned: planned[0] == planned[1] ? planned[0] : planned.joined(separator: " or "),
                actual: Self.text(path.actual), isDrift: true)
        }
        if total > facts.count {
            facts.append(
                StaleFact(
                    allocation, fact: "\(total - facts.count) more paths on the worker", planned: "as in the plan",
                    actual: "changed", isDrift: true))
        }
        return facts
    }

    private static func text(_ entry: WorkerEntry?) -> String {
        switch entry?.kind {
        case nil: "nothing"
        case .file(let digest, _, _)?: "content \(WorkerEntry.bare(digest).prefix(12))"
        case .symbolicLink?: "a symbolic link"
        case .directory?: "a folder"
        }
    }

    static func text(_ actual: DriftedPath.Actual) -> String {
        switch actual {
        case .nothing: "missing"
        case .file(let digest, let isExecutable):
            "content \(digest.prefix(12))" + (isExecutable ? ", executable" : "")
        case .symbolicLink: "a symbolic link"
        case .directory: "a folder"
        case .special: "a device, socket or pipe"
        case .unplanned: "left by an earlier push"
        }
    }
}

/// Steps whose files were sent ahead; by this process, so that a later one sends and compares again.
final class StagedPushes: Sendable {
    private let steps = Mutex<Set<Int>>([])

    func add(_ step: Int) { steps.withLock { _ = $0.insert(step) } }

    /// Whether they were; a second try has to send them again.
    func take(_ step: Int) -> Bool { steps.withLock { $0.remove(step) != nil } }
}
