internal import Catalog
internal import Model

extension Rollout {
    /// Runs whose receipts stay on the workers, the newest ones.
    static let keptRuns = 3
    /// Older runs that one cleanup asks about, so that a worker that missed some catches up.
    static let cleanedRuns = 8
    /// For all workers together.
    static let cleanupLimit = Duration.seconds(30)

    /// Removes the receipts of older runs from the workers of this one. They are of no use any more, so whatever goes
    /// wrong is only told.
    func cleanUp(_ workforce: Workforce, _ hooks: HookRunner?) async {
        guard let runs = try? catalog.runs(limit: Self.keptRuns + Self.cleanedRuns) else { return }
        let old = runs.dropFirst(Self.keptRuns).filter { !$0.state.isUnfinished }.map(\.nonce)
        guard !old.isEmpty else { return }
        let problems = await withTaskGroup(of: [String]?.self) { group in
            group.addTask { await workforce.cleanUp(old, and: hooks.map { [$0.session] } ?? []) }
            group.addTask {
                try? await clock.sleep(Self.cleanupLimit)
                return Task.isCancelled ? nil : ["it took longer than \(Self.cleanupLimit)"]
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        guard let problems, let first = problems.first else { return }
        observe(
            .warning("old receipts were not removed from \(problems.count) workers, which the next run does: \(first)"))
    }
}

extension Workforce {
    /// - Returns: what went wrong, an entry for each worker that still has them all.
    func cleanUp(_ runs: [String], and others: [WorkerSession]) async -> [String] {
        await withTaskGroup(of: String?.self) { group in
            var waiting = (Array(sessions.values) + others)[...]
            func add() {
                guard let session = waiting.popFirst() else { return }
                group.addTask {
                    do {
                        _ = try await session.cleanup(runs: runs)
                        return nil
                    } catch {
                        return "\(error)"
                    }
                }
            }
            for _ in 0..<Self.width { add() }
            var problems: [String] = []
            for await problem in group {
                if let problem { problems.append(problem) }
                add()
            }
            return problems.sorted()
        }
    }
}
