internal import Executor
internal import Model
internal import Plans
internal import Workers

extension ExecutionContext {
    /// Asks all workers of a fleet the same, some side by side, over connections that end with it.
    ///
    /// - Throws: `TransportFailure` if no connection can be made from here at all.
    func answers<Answer: Sendable>(
        of fleet: Fleet,
        _ question: @escaping @Sendable (WorkerName, any Transport) async throws(TransportError) -> Answer
    ) async throws -> [WorkerName: Swift.Result<Answer, TransportError>] {
        if fleet.workers.isEmpty { return [:] }
        let transport = try await transport(for: fleet)
        let names = fleet.workers.map(\.worker)
        let answers = await names.sideBySide(width: WorkerPool.width) { worker in
            await Self.answer(of: worker, over: transport, question)
        }
        await transport.close()
        return Dictionary(zip(names, answers), uniquingKeysWith: { first, _ in first })
    }

    /// By itself: in a task's closure the optimizer of Swift 6.3 makes garbage of a result with a typed error.
    @inline(never)
    private static func answer<Answer: Sendable>(
        of worker: WorkerName, over transport: any Transport,
        _ question: @Sendable (WorkerName, any Transport) async throws(TransportError) -> Answer
    ) async -> Swift.Result<Answer, TransportError> {
        do {
            return .success(try await question(worker, transport))
        } catch {
            return .failure(error)
        }
    }
}
