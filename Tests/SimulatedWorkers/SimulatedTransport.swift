internal import Glibc
internal import Synchronization
public import Workers

/// Workers that exist only as what they remember: the answers of the worker script, without a process or a file.
///
/// A connection may be lost before or after the worker has heard, and a command may fail, by a seeded die.
public final class SimulatedTransport: Transport {
    private struct State {
        /// Attempts that ran, with their exit status, and attempts that were closed.
        var finished: [String: Int] = [:]
        var fenced: Set<String> = []
        /// How often each attempt's command was executed.
        var executions: [String: Int] = [:]
        var absent: Set<String> = []
        /// How an absent worker shows itself.
        var absence = TransportError.Kind.unreachable
        /// Where somebody changes files after they were compared and before they are pushed.
        var drifting: Set<String> = []
        var commands = 0
        /// When the first push or command after a preflight was asked for.
        var firstAction: ContinuousClock.Instant?
        var random: SeededRandom
    }

    private let state: Mutex<State>
    /// Of 100 words to a worker, how many are lost.
    private let lossRate: UInt64
    /// Of 10,000 commands, how many fail.
    private let failureRate: UInt64
    /// What the workers remember, for the next process.
    private let journal: Journal?
    /// At this word to a worker the process is killed.
    private let lastWord: Int?

    /// - Parameters:
    ///   - journal: the file in which workers remember what they ran, beyond the end of this process.
    ///   - lastWord: with SIGKILL, before or after the worker has heard.
    public init(
        seed: UInt64 = 0, lossRate: UInt64 = 0, failureRate: UInt64 = 0, absent: Set<String> = [],
        journal: String? = nil, lastWord: Int? = nil
    ) {
        self.lossRate = lossRate
        self.failureRate = failureRate
        self.lastWord = lastWord
        var state = State(absent: absent, random: SeededRandom(seed))
        self.journal = journal.map { path in
            Journal(path) { id, status in
                state.finished[id] = status
                if status == nil { state.fenced.insert(id) } else { state.executions[id, default: 0] += 1 }
            }
        }
        self.state = Mutex(state)
    }

    public var endsSessions: Bool { false }
    public var reconnectWindow: Duration? { nil }
    public var answerLimit: Duration { .seconds(60) }
    /// How often each attempt's command was executed.
    public var executions: [String: Int] { state.withLock { $0.executions } }
    /// When the first push or command after the last preflight was asked for.
    public var lastFirstAction: ContinuousClock.Instant? { state.withLock { $0.firstAction } }
    /// Words to workers.
    public var commands: Int { state.withLock { $0.commands } }

    public func setDrifting(_ workers: Set<String>) { state.withLock { $0.drifting = workers } }
    public func setAbsent(_ workers: Set<String>, _ kind: TransportError.Kind = .unreachable) {
        state.withLock { ($0.absent, $0.absence) = (workers, kind) }
    }
    public func path(_ path: String, on worker: String) -> String { path }
    public func close() async {}

    public func run(_ command: WorkerCommand, on worker: String) async throws(TransportError) -> CommandResult {
        let nonce: String
        do {
            let first = try await command.input.open()() ?? []
            nonce = String(decoding: first.prefix { $0 != 0x0a }, as: UTF8.self)
        } catch {
            throw TransportError(.source, worker: worker, reason: "\(error)")
        }
        let verb = command.arguments[2]
        let arguments = Array(command.arguments.dropFirst(3))
        let (absence, isLast, lostBefore, lostAfter) = state.withLock { state in
            state.commands += 1
            if verb == "preflight" {
                state.firstAction = nil
            } else if state.firstAction == nil {
                state.firstAction = .now
            }
            // A preflight touches nothing, so that a transport tries again by itself.
            func die() -> Bool { verb != "preflight" && lossRate > 0 && state.random.below(100) < lossRate }
            let absence = state.absent.contains(worker) ? state.absence : nil
            return (absence, state.commands == lastWord, die(), die())
        }
        if isLast, commands.isMultiple(of: 2) { kill(getpid(), SIGKILL) }
        if let absence { throw TransportError(absence, worker: worker, reason: "no route to host") }
        if lostBefore { throw TransportError(.connectionLost, worker: worker, reason: "lost before it heard") }
        let answer = answer(verb, arguments, worker)
        if isLast { kill(getpid(), SIGKILL) }
        if lostAfter { throw TransportError(.connectionLost, worker: worker, reason: "lost after it heard") }
        let text = answer.map { "\n@\(nonce) \($0)\n" }.joined() + "\n@\(nonce) end\n"
        return CommandResult(exit: .status(0), output: Array(text.utf8), errorOutput: [])
    }

    private func answer(_ verb: String, _ arguments: [String], _ worker: String) -> [String] {
        switch verb {
        case "preflight": ["fact generation g\(worker).1", "fact boot b", "fact clock 0", "state preflight"]
        // Nothing is staged, so that what is pushed is compared again.
        case "push" where arguments[1] == "check": ["state planned"]
        case "push" where arguments[1] == "stage": ["state unchanged"]
        case "push": [state.withLock { $0.drifting.contains(worker) } ? "state drift 3" : "state pushed"]
        case "remove": ["state removed"]
        case "cleanup": ["state cleaned"]
        case "settle": ["state settled"]
        case "prove":
            arguments[2] == "-" || state.withLock { $0.finished[arguments[2]] == 0 }
                ? ["state proved"] : ["state unproved attempt"]
        case "run":
            state.withLock { state in
                let id = arguments[0]
                if state.fenced.contains(id) { return ["state fenced"] }
                if let status = state.finished[id] { return ["state finished exit \(status) 1 0 0"] }
                let status = failureRate > 0 && state.random.below(10_000) < failureRate ? 1 : 0
                state.finished[id] = status
                state.executions[id, default: 0] += 1
                journal?.write(id, status)
                return ["state finished exit \(status) 1 0 0"]
            }
        case "inquire", "fence":
            state.withLock { state in
                let id = arguments[0]
                if let status = state.finished[id] { return ["state finished exit \(status) 1 0 0"] }
                if verb == "fence" {
                    state.fenced.insert(id)
                    journal?.write(id, nil)
                }
                return [state.fenced.contains(id) ? "state fenced" : "state absent"]
            }
        default: ["state unknown-verb"]
        }
    }
}

/// Lines `ID STATUS`, or `ID -` for an id that was closed. What was written outlives the process.
private final class Journal: Sendable {
    private let descriptor: Int32

    init(_ path: String, _ replay: (_ id: String, _ status: Int?) -> Void) {
        descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let got = read(descriptor, &chunk, chunk.count)
            guard got > 0 else { break }
            text += chunk[..<got]
        }
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let words = String(decoding: line, as: UTF8.self).split(separator: " ")
            if words.count == 2 { replay(String(words[0]), Int(words[1])) }
        }
    }

    deinit { close(descriptor) }

    func write(_ id: String, _ status: Int?) {
        let line = Array("\(id) \(status.map(String.init) ?? "-")\n".utf8)
        _ = line.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }
}
