internal import Catalog
internal import Executor
internal import Model
internal import ThisHost

/// Hears when a person pauses a run from another terminal while this process executes it.
struct PauseListener: Sendable {
    let context: ExecutionContext
    let run: RunID
    /// Pauses that the run had when this process began: the same command continues a paused run.
    let known: Int

    /// Returns `requests` and the requests of people, in one stream.
    func requests(and requests: AsyncStream<ParkRequest>) -> AsyncStream<ParkRequest> {
        AsyncStream { continuation in
            let listening = Task {
                await withTaskGroup(of: Void.self) { group in
                    group.addTask {
                        for await request in requests { continuation.yield(request) }
                    }
                    group.addTask {
                        while !Task.isCancelled {
                            // A database that cannot be read now is the recorder's concern.
                            if let decisions = try? context.catalog.pauses(of: run), decisions.count > known,
                                let last = decisions.last
                            {
                                continuation.yield(ParkRequest(.pause(by: last.by, reason: last.reason)))
                                return
                            }
                            try? await context.clock.sleep(.milliseconds(500))
                        }
                    }
                }
            }
            continuation.onTermination = { _ in listening.cancel() }
        }
    }
}
