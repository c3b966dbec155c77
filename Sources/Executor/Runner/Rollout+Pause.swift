internal import Catalog
internal import Model

extension Rollout {
    /// `requests`, and what a person asks for by `pause` from another terminal while this process runs.
    ///
    /// - Parameter known: pauses that the run had when this process began: the same command continues a paused run.
    func parkRequests(
        _ requests: AsyncStream<ParkRequest>, of run: RunID, known: Int
    ) -> AsyncStream<ParkRequest> {
        AsyncStream { continuation in
            let listening = Task {
                await withTaskGroup(of: Void.self) { group in
                    group.addTask {
                        for await request in requests { continuation.yield(request) }
                    }
                    group.addTask {
                        while !Task.isCancelled {
                            // A database that cannot be read now is the recorder's concern.
                            if let decisions = try? pauses(of: run), decisions.count > known, let last = decisions.last
                            {
                                continuation.yield(.init("pause by \(last.by): \(last.reason)", isUrgent: false))
                                return
                            }
                            try? await clock.sleep(.milliseconds(500))
                        }
                    }
                }
            }
            continuation.onTermination = { _ in listening.cancel() }
        }
    }

    func pauses(of run: RunID) throws -> [Decision] {
        try catalog.decisions(run).filter { $0.what == .pause }
    }
}
