import Model
import Synchronization

@testable import Executor

/// Workers that exist only as what they remember: the answers of the worker script, without a process or a file.
///
/// A connection may be lost before or after the worker has heard, by a seeded die.
final class SimulatedTransport: Transport {
    private struct State {
        /// Attempts that ran, and attempts that were closed.
        var finished: Set<String> = []
        var fenced: Set<String> = []
        /// How often each attempt's command was executed.
        var executions: [String: Int] = [:]
        var absent: Set<String> = []
        /// Where somebody changes files after they were compared and before they are pushed.
        var drifting: Set<String> = []
        var commands = 0
        /// When the first push or command after a preflight was asked for.
        var firstAction: ContinuousClock.Instant?
        var random: SeededRandom
        var whenRun: @Sendable (_ worker: String) -> Void = { _ in }
        var whenPushed: @Sendable (_ worker: String) -> Void = { _ in }
    }

    private let state: Mutex<State>
    /// Of 100 words to a worker, how many are lost.
    private let lossRate: UInt64

    init(seed: UInt64 = 0, lossRate: UInt64 = 0, absent: Set<String> = []) {
        self.lossRate = lossRate
        state = Mutex(State(absent: absent, random: SeededRandom(seed)))
    }

    var endsSessions: Bool { false }
    var reconnectWindow: Duration? { nil }
    var executions: [String: Int] { state.withLock { $0.executions } }
    var lastFirstAction: ContinuousClock.Instant? { state.withLock { $0.firstAction } }
    var commands: Int { state.withLock { $0.commands } }

    /// Called when a worker executes an attempt.
    func whenRun(_ body: @escaping @Sendable (_ worker: String) -> Void) { state.withLock { $0.whenRun = body } }
    func whenPushed(_ body: @escaping @Sendable (_ worker: String) -> Void) { state.withLock { $0.whenPushed = body } }
    func setDrifting(_ workers: Set<String>) { state.withLock { $0.drifting = workers } }
    func setAbsent(_ workers: Set<String>) { state.withLock { $0.absent = workers } }
    func path(_ path: String, on worker: String) -> String { path }
    func close() async {}

    func run(_ command: WorkerCommand, on worker: String) async throws(TransportError) -> CommandResult {
        let nonce: String
        do {
            let first = try await command.input.open()() ?? []
            nonce = String(decoding: first.prefix { $0 != 0x0a }, as: UTF8.self)
        } catch {
            throw TransportError(.source, worker: worker, reason: "\(error)")
        }
        let verb = command.arguments[2]
        let arguments = Array(command.arguments.dropFirst(3))
        let (isAbsent, lostBefore, lostAfter) = state.withLock { state in
            state.commands += 1
            if verb == "preflight" {
                state.firstAction = nil
            } else if state.firstAction == nil {
                state.firstAction = .now
            }
            func die() -> Bool { lossRate > 0 && state.random.below(100) < lossRate }
            return (state.absent.contains(worker), die(), die())
        }
        if isAbsent { throw TransportError(.unreachable, worker: worker, reason: "no route to host") }
        if lostBefore { throw TransportError(.connectionLost, worker: worker, reason: "lost before it heard") }
        let answer = answer(verb, arguments, worker)
        if verb == "push", arguments[1] != "check" { state.withLock { $0.whenPushed }(worker) }
        if lostAfter { throw TransportError(.connectionLost, worker: worker, reason: "lost after it heard") }
        let text = answer.map { "\n@\(nonce) \($0)\n" }.joined() + "\n@\(nonce) end\n"
        return CommandResult(exit: .status(0), output: Array(text.utf8), errorOutput: [])
    }

    private func runs(_ id: String, _ worker: String) -> [String] {
        let (isNew, whenRun) = state.withLock { state -> (Bool?, @Sendable (String) -> Void) in
            if state.fenced.contains(id) { return (nil, state.whenRun) }
            let isNew = state.finished.insert(id).inserted
            if isNew { state.executions[id, default: 0] += 1 }
            return (isNew, state.whenRun)
        }
        guard let isNew else { return ["state fenced"] }
        if isNew { whenRun(worker) }
        return ["state finished exit 0 1 0 0"]
    }

    private func answer(_ verb: String, _ arguments: [String], _ worker: String) -> [String] {
        switch verb {
        case "preflight": ["fact generation g.1", "fact boot b", "fact clock 0", "state preflight"]
        case "push" where arguments[1] == "check": ["state planned"]
        case "push": [state.withLock { $0.drifting.contains(worker) } ? "state drift 3" : "state pushed"]
        case "remove": ["state removed"]
        case "cleanup": ["state cleaned"]
        case "settle": ["state settled"]
        case "run": runs(arguments[0], worker)
        case "inquire", "fence":
            state.withLock { state in
                let id = arguments[0]
                if state.finished.contains(id) { return ["state finished exit 0 1 0 0"] }
                if verb == "fence" { state.fenced.insert(id) }
                return [state.fenced.contains(id) ? "state fenced" : "state absent"]
            }
        default: ["state unknown-verb"]
        }
    }
}
