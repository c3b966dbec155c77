package import Model
package import Plans

/// One worker, as one run sees it: asks the worker script, and understands its answers.
///
/// Every question may be asked again after an error; the worker answers from what it has recorded. Sessions hold no
/// connection of their own and may be used from any number of tasks.
///
/// ```swift
/// let report = try await session.run(request)  // throws if the connection was lost; then ask what became of it:
/// let known = try await session.inquire(request.id)
/// ```
public struct WorkerSession: Sendable {
    /// The worker's name.
    public let worker: String
    /// The run on whose behalf everything is asked.
    public let owner: Owner
    /// What the receipts directory was at preflight; `nil` compares nothing.
    public var generation: String?

    /// The worker's clock at preflight, in seconds since 1970, and when that was here. ``PreflightReport`` takes no clock
    /// beyond the year 9999, so that sums with it stay far from the limits of `Int`.
    public private(set) var clock: (seconds: Int, at: ContinuousClock.Instant)?

    let transport: any Transport
    private let root: String
    let nonce: @Sendable () -> String

    /// - Parameters:
    ///   - bucket: the bucket's id.
    ///   - workerRoot: the directory of all buckets on a worker, absolute.
    ///   - nonce: a value that a worker's output cannot know; letters and digits.
    public init(
        worker: String, bucket: String, workerRoot: String = "/opt/worker", owner: Owner, generation: String? = nil,
        transport: any Transport, nonce: @escaping @Sendable () -> String = { WorkerSession.randomNonce() }
    ) {
        self.worker = worker
        self.owner = owner
        self.generation = generation
        self.transport = transport
        self.nonce = nonce
        root = transport.path("\(workerRoot)/\(bucket)", on: worker)
    }

    /// A worker of a fleet.
    package init(_ worker: WorkerName, of fleet: Fleet, owner: Owner, transport: any Transport) {
        self.init(
            worker: worker.text, bucket: fleet.bucket, workerRoot: fleet.workerRoot, owner: owner, transport: transport)
    }

    /// The same on behalf of another run.
    package func owned(by owner: Owner) -> WorkerSession {
        WorkerSession(
            worker: worker, root: root, owner: owner, generation: nil, transport: transport, nonce: nonce)
    }

    private init(
        worker: String, root: String, owner: Owner, generation: String?, transport: any Transport,
        nonce: @escaping @Sendable () -> String
    ) {
        self.worker = worker
        self.root = root
        self.owner = owner
        self.generation = generation
        self.transport = transport
        self.nonce = nonce
    }

    /// 64 random bits in hex.
    public static func randomNonce() -> String {
        String(UInt64.random(in: .min ... .max), radix: 16)
    }

    /// The bucket's directory on the worker, as commands of the transport see it.
    package var bucketRoot: String { root }

    // MARK: Attempts

    /// Begins the attempt, or waits for it where it has begun, and tells how it ended.
    ///
    /// Where the worker's clock is known, the command does not begin any more once it may have been given up here: a word
    /// may lie in a frozen worker for long.
    ///
    /// The command goes on when this task is cancelled or the connection is lost; ask again with the same request.
    ///
    /// - Parameter due: when to give up waiting; nil for `patience(for:)` from now on.
    /// - Throws: `TransportError` of the kind `timedOut` where the answer has not come by then.
    public func run(
        _ request: AttemptRequest, due: ContinuousClock.Instant? = nil
    ) async throws(TransportError) -> AttemptReport {
        if let flaw = request.flaw { throw TransportError(.source, worker: worker, reason: flaw) }
        let script = request.script
        let lines = script.utf8.count { $0 == UInt8(ascii: "\n") }
        var arguments = [request.id, request.digest, generation ?? "-"] + ownership
        arguments += [request.job ?? "-", request.lockName]
        arguments += [
            "\([request.latestStart, latestStart].compactMap(\.self).min() ?? 0)", Self.seconds(request.timeout),
            Self.seconds(request.grace),
        ]
        arguments += ["\(request.tailLimit)", request.target ?? "-"]
        return try await report(
            "run", arguments, input: Array("\(lines)\n\(script)".utf8), tailLimit: request.tailLimit,
            timeout: due.map { max(.zero, ContinuousClock.now.duration(to: $0)) } ?? patience(for: request))
    }

    /// After how long an attempt has to be over, whatever its worker says: its limit, what is left of it ended, and the
    /// worker has answered. Nil where it has no limit.
    package func patience(for request: AttemptRequest) -> Duration? {
        request.timeout.map { $0 + request.grace + transport.answerLimit }
    }

    /// From now on the worker's clock is taken to show what it did when it was asked this moment.
    package mutating func noteClock(of report: PreflightReport) { clock = (report.clock, .now) }

    /// By the worker's clock, which is taken to run as fast as this one.
    private var latestStart: Int? {
        guard let clock, let window = transport.reconnectWindow else { return nil }
        let due = clock.at.duration(to: .now) + window
        return clock.seconds + Int(due.components.seconds)
    }

    /// What the worker's clock will show, in seconds since 1970, when so much time has passed; nil where it is not known.
    package func time(after duration: Duration) -> Int? {
        guard let clock else { return nil }
        return clock.seconds + Int((clock.at.duration(to: .now) + duration).components.seconds)
    }

    /// Tells what is known of an attempt, at once.
    public func inquire(_ id: String, tailLimit: Int = 1 << 16) async throws(TransportError) -> AttemptReport {
        try await report(
            "inquire", [id, generation ?? "-", "\(tailLimit)"], tailLimit: tailLimit, timeout: transport.answerLimit)
    }

    /// Finds out whether the worker answers at all.
    package func answers() async throws(TransportError) { _ = try await inquire("\(owner.run)-probe-0", tailLimit: 0) }

    /// Closes the id for good where it has not begun, and tells what is known of it.
    public func fence(_ id: String, tailLimit: Int = 1 << 16) async throws(TransportError) -> AttemptReport {
        try await report(
            "fence", [id, generation ?? "-"] + ownership + ["\(tailLimit)"], tailLimit: tailLimit,
            timeout: transport.answerLimit)
    }

    /// Records that somebody has decided about an interrupted attempt: what it left running holds nobody up any more.
    public func settle(_ id: String) async throws(TransportError) {
        let (answer, _) = try await ask("settle", [id] + ownership, timeout: transport.answerLimit)
        try understood { () throws(InvalidAnswer) in
            guard answer["state"]?.words(2).first == "settled" else { throw answer.unexpected }
        }
    }

    // MARK: Files

    /// Compares the worker's files with the request, and touches nothing.
    ///
    /// - Parameter request: takes in what a push will have to send besides, so that it need not be asked for again.
    public func compare(_ request: inout PushRequest) async throws(TransportError) -> PushReport {
        try await send(&request, mode: .check)
    }

    /// Compares, and where nothing has drifted leaves what is to be replaced beside the job's files, verified: `asPlanned`
    /// where a push needs only to bring it in, `unchanged` where there is nothing to do. The files are not touched.
    ///
    /// - Parameter request: takes in what was sent besides; the push has to be the same.
    public func stage(_ request: inout PushRequest) async throws(TransportError) -> PushReport {
        try await send(&request, mode: .stage)
    }

    /// Brings the job's files to the target, all or nothing as far as an action can see.
    ///
    /// - Parameter isStaged: the same request was staged before. Where the worker does not have that any more, or somebody
    ///   may have changed a file since, everything is sent and compared again.
    public func push(_ request: PushRequest, isStaged: Bool = false) async throws(TransportError) -> PushReport {
        if isStaged, let report = try await commit(request) { return report }
        if request.base != nil {
            var request = request
            return try await send(&request, mode: .apply)
        }
        let comparison = try await send(request, mode: .check, needed: []).report
        let needed: Set<PathBytes>
        switch comparison {
        case .asPlanned: needed = []
        case .drift(let paths, let total):
            let known = total > paths.count ? request.target.completed().map(\.path) : paths.map(\.path)
            needed = Set(known.map(PathBytes.init))
        case .pushed, .unchanged, .busy, .generationChanged, .notOwner, .altered, .failed: return comparison
        }
        return try await send(request, mode: .force, needed: needed).report
    }

    /// Removes what was deployed of the job. `data/`, `logs/` and `bin/` stay.
    ///
    /// - Parameter known: what stands for the worker's list of what was deployed, if it has none: files that another program
    ///   has brought.
    public func remove(
        _ job: String, known: [PushEntry] = [], timeout: Duration? = .seconds(300)
    ) async throws(TransportError) -> PushReport {
        let arguments = [job, generation ?? "-"] + ownership
        let lines = known.completed().map { "\($0.fields) ./\($0.path)/\n" }.joined()
        let (answer, command) = try await ask("remove", arguments, input: .bytes(Array(lines.utf8)), timeout: timeout)
        if answer["state"]?.text == "removed" { return .pushed }
        return try pushReport(answer, command)
    }

    /// Asks whether this is still the worker on which something was done last for a job.
    ///
    /// - Returns: nil where it is.
    package func doubt(_ claim: Claim, of job: String) async throws(TransportError) -> Doubt? {
        let fields =
            switch claim {
            case .attempt(let id): [id, "-"]
            case .files(let entries): ["-", entries.deployedDigest]
            }
        let (answer, _) = try await ask(
            "prove", [job, generation ?? "-"] + fields + ownership, timeout: transport.answerLimit)
        return try understood { () throws(InvalidAnswer) in try Doubt.of(answer) }
    }

    // MARK: The worker as a whole

    static func lines(_ words: [String]) -> [UInt8] { Array(words.map { $0 + "\n" }.joined().utf8) }

    /// Installs the script, creates the bucket's directories, takes the worker for this run, and lists all faults.
    ///
    /// - Parameters:
    ///   - takeOver: whether another controller's, or a later run's, worker is taken all the same.
    ///   - lineage: the runs of which one has to be who took it last; nil asks for none.
    ///   - isSeen: whether the run has seen the worker before: its receipts are there then, or lost, and are not made again.
    ///   - settled: runs in which everything is settled; their receipts are removed.
    public func preflight(
        takeOver: Bool = false, lineage: RunLineage? = nil, isSeen: Bool = false, settled: [String] = []
    ) async throws(TransportError) -> PreflightReport {
        let arguments = ownership + [takeOver ? "1" : "0", nonce(), lineage?.word ?? "-", isSeen ? "1" : "0"]
        let (answer, _) = try await ask(
            "preflight", arguments, input: .bytes(Self.lines(settled)), timeout: transport.answerLimit)
        return try understood { () throws(InvalidAnswer) in try PreflightReport(answer, transport: transport) }
    }

    // MARK: Asking

    private var ownership: [String] { [owner.controller, "\(owner.sequence)", owner.run] }

    private static func seconds(_ duration: Duration?) -> String {
        guard let duration else { return "0" }
        let (seconds, attoseconds) = duration.components
        return "\(max(1, seconds + (attoseconds > 0 ? 1 : 0)))"
    }

    private func report(
        _ verb: String, _ arguments: [String], input: [UInt8] = [], tailLimit: Int, timeout: Duration?
    ) async throws(TransportError) -> AttemptReport {
        let (answer, _) = try await ask(
            verb, arguments, input: .bytes(input), outputLimit: 2 * tailLimit + Self.slack, timeout: timeout)
        return try understood { () throws(InvalidAnswer) in
            try AttemptReport(answer, expectedGeneration: generation)
        }
    }

    /// What an answer says, or the error of a worker that says what none says.
    func understood<Report>(_ read: () throws(InvalidAnswer) -> Report) throws(TransportError) -> Report {
        do {
            return try read()
        } catch {
            throw TransportError(
                .malformedAnswer, worker: worker, reason: "the worker's answer is invalid: \(error.reason)")
        }
    }

    /// Room for the records themselves, and for what a login shell prints.
    static let slack = 1 << 17

    private func plan(
        of request: PushRequest, needed: Set<PathBytes>?, sending: Bool
    ) throws(TransportError) -> PushRequest.Plan {
        if let flaw = request.flaw { throw TransportError(.source, worker: worker, reason: flaw) }
        do {
            return try request.plan(needed: needed, sending: sending)
        } catch {
            throw TransportError(.source, worker: worker, reason: "\(error)")
        }
    }

    /// - Returns: nil where nothing is staged that could be brought in as it is.
    private func commit(_ request: PushRequest) async throws(TransportError) -> PushReport? {
        let plan = try plan(of: request, needed: nil, sending: false)
        let arguments = arguments(request, .commit, plan, needed: nil)
        let (answer, result) = try await ask("push", arguments, timeout: request.timeout)
        if answer["state"]?.text == "unstaged" { return nil }
        return try pushReport(answer, result).hidingSecrets(of: request)
    }

    private func arguments(
        _ request: PushRequest, _ mode: PushRequest.Mode, _ plan: PushRequest.Plan, needed: Set<PathBytes>?
    ) -> [String] {
        [request.job, mode.rawValue, generation ?? "-"] + ownership + [plan.token, request.hints(needed: needed)]
    }

    /// Sends once more where the worker needs files that the plan does not change.
    private func send(_ request: inout PushRequest, mode: PushRequest.Mode) async throws(TransportError) -> PushReport {
        let (first, needs) = try await send(request, mode: mode, needed: nil)
        guard let needs else { return first }
        request.restored.formUnion(needs)
        if mode == .check { return first }
        return try await send(request, mode: mode, needed: nil).report
    }

    private func send(
        _ request: PushRequest, mode: PushRequest.Mode, needed: Set<PathBytes>?
    ) async throws(TransportError) -> (report: PushReport, needs: Set<PathBytes>?) {
        let plan = try plan(of: request, needed: needed, sending: mode != .check)
        let (answer, result) = try await ask(
            "push", arguments(request, mode, plan, needed: needed), input: plan.archive.source,
            timeout: request.timeout)
        return (try pushReport(answer, result).hidingSecrets(of: request), request.needs(answer))
    }

    private func pushReport(
        _ answer: WorkerAnswer, _ result: CommandResult
    ) throws(TransportError) -> PushReport {
        let report = try understood { () throws(InvalidAnswer) in
            try PushReport(answer, expectedGeneration: generation)
        }
        let tool = result.firstErrorLine
        func told(_ reason: String) -> String {
            tool.isEmpty ? reason : "\(reason)\(reason.hasSuffix("?") ? "" : ".") Its tools say: \(tool)"
        }
        switch report {
        case .altered(let reason): return .altered(told(reason))
        case .failed(let reason): return .failed(told(reason))
        case .pushed, .unchanged, .asPlanned, .drift, .busy, .generationChanged, .notOwner: return report
        }
    }

    /// Where the script lies, or is to lie, as commands of the transport see it.
    var script: String { "\(root)/.bin/worker-\(WorkerScript.digest)" }

    private func ask(
        _ verb: String, _ arguments: [String], input: ByteSource = .empty, outputLimit: Int = 1 << 18,
        timeout: Duration?
    ) async throws(TransportError) -> (WorkerAnswer, CommandResult) {
        if let word = arguments.first(where: { !ShellText.isWord($0) }) {
            throw TransportError(
                .source, worker: worker, reason: "`\(word)` cannot be an argument of the worker script")
        }
        let nonce = nonce()
        let command = WorkerCommand(
            ["sh", script, verb] + arguments, input: input.preceded(by: Array("\(nonce)\n".utf8)),
            outputLimit: outputLimit, timeout: timeout)
        var result = try await transport.run(command, on: worker)
        if let answer = WorkerAnswer(result.output, nonce: nonce) { return (answer, result) }
        if result.lacksScript {
            let installation = try await transport.run(WorkerScript.installation(at: script), on: worker)
            guard installation.exit == .status(0) else {
                let text = installation.errorText
                throw TransportError(
                    .workerFault, worker: worker, reason: "the worker script could not be put at \(script): \(text)")
            }
            result = try await transport.run(command, on: worker)
            if let answer = WorkerAnswer(result.output, nonce: nonce) { return (answer, result) }
        }
        throw unanswered(result, nonce)
    }

    /// The error of a command that has given no whole answer.
    func unanswered(_ result: CommandResult, _ nonce: String) -> TransportError {
        switch result.exit {
        case .signal(let name):
            TransportError(.connectionLost, worker: worker, reason: "its shell was ended by \(name)")
        case .status: .noAnswer(result, to: nonce, from: worker)
        }
    }
}
