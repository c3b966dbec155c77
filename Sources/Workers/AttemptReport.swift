internal import YAML

/// What a worker says about an attempt. Each case is knowledge, not a guess.
public enum AttemptReport: Sendable, Hashable {
    /// It ran to its end, once.
    case finished(AttemptResult)
    /// It runs, or is about to begin.
    case running
    /// The worker has never begun it, and would if it was asked to.
    case absent
    /// A fence closed it before it began. It never will.
    case fenced
    /// It was closed for another reason before it began. It never will.
    case notStarted(NotStarted)
    /// It began, and nobody knows how it ended.
    case interrupted(Interruption)
    /// Another command has been asked for under this id.
    case conflict
    /// Another attempt, a push, or processes that a dead attempt left behind are in the way. Nothing has begun.
    case busy(by: String)
    /// The receipts are not those that were seen at preflight, so that their silence proves nothing.
    case generationChanged(expected: String?, actual: String)
    /// Another controller, or another run, owns the worker. Nothing has begun.
    case notOwner(Owner?)
    /// The worker could not record it (a full disk, for instance). Nothing has begun.
    case refused(String)
}

/// How a command ended.
public struct AttemptResult: Sendable, Hashable {
    /// As the shell gives it: 128 + n where signal n ended the command.
    public var exitStatus: Int
    /// The time was up and the process group was killed, whatever the exit status.
    public var timedOut: Bool
    /// From the command's begin to its end, by the worker's clock; exact to 10 ms.
    public var duration: Duration
    /// The end of standard output.
    public var output: Tail
    /// The end of standard error.
    public var errorOutput: Tail
    /// Some of the processes that had its output open when it had ended, as number and name; of those that the worker may look
    /// at.
    public var holders: [String] = []
    /// A process had its output open when it had ended.
    public var isOutputKept = false

    public init(exitStatus: Int, timedOut: Bool, duration: Duration, output: Tail, errorOutput: Tail) {
        self.exitStatus = exitStatus
        self.timedOut = timedOut
        self.duration = duration
        self.output = output
        self.errorOutput = errorOutput
    }

    /// Bytes of one stream from which on a worker drops its middle.
    static let outputLimit = 64 << 20

    /// What a person should know of its output.
    package var remarks: [String] {
        var remarks: [String] = []
        if max(output.total, errorOutput.total) > Self.outputLimit {
            remarks.append(
                "it printed more than \(Self.outputLimit >> 20) MiB, of which its worker has dropped the middle")
        }
        if isOutputKept {
            let who = holders.isEmpty ? "a process" : "process \(holders.joined(separator: ", "))"
            remarks.append(
                "\(who) has the output of the target still open, and what it prints there nobody sees: redirect the output of "
                    + "services that the target starts")
        }
        return remarks
    }

    /// Exit status 0, in time.
    public var isSuccess: Bool { exitStatus == 0 && !timedOut }
}

/// The last bytes of a stream, and how many there were.
public struct Tail: Sendable, Hashable {
    /// At most the request's `tailLimit`.
    public var bytes: [UInt8]
    /// Bytes that the command wrote.
    public var total: Int

    public init(bytes: [UInt8] = [], total: Int = 0) {
        self.bytes = bytes
        self.total = total
    }
}

/// Why a command never began; its id is closed.
public enum NotStarted: Sendable, Hashable {
    /// `latestStart` had passed.
    case tooLate
    /// There is no directory of the job on the worker.
    case noJobDirectory
    /// The receipts were replaced between preflight and claim.
    case generationChanged
    /// The run's receipts have been cleaned up.
    case runIsCleanedUp
    case other(String)
}

/// A command that began and of whose end nobody knows.
public struct Interruption: Sendable, Hashable {
    /// Why nobody knows.
    public enum Cause: Sendable, Hashable {
        /// The runner died; these processes of the command still live.
        case died(orphans: [Int])
        /// The worker was booted after the command began.
        case rebooted
    }

    /// Why nobody knows.
    public var cause: Cause
    /// The end of standard output.
    public var output: Tail
    /// The end of standard error.
    public var errorOutput: Tail

    /// Processes of the command that live.
    public var orphans: [Int] {
        switch cause {
        case .died(let orphans): orphans
        case .rebooted: []
        }
    }

    /// Some of their numbers, for people; empty where none lives.
    package var orphansText: String { orphans.prefix(10).map(String.init).joined(separator: ", ") }

    public init(cause: Cause, output: Tail, errorOutput: Tail) {
        self.cause = cause
        self.output = output
        self.errorOutput = errorOutput
    }
}

/// Who may act on a worker: one run of one controller.
public struct Owner: Sendable, Hashable {
    /// Stands for the bucket's catalog on the controller.
    public var controller: String
    /// Grows with each run of the controller.
    public var sequence: Int
    /// No controller comes so far: a worker that says so, or says no number, names no run that there was.
    package static let implausible = 1 << 40

    /// The run's nonce, so that two runs of one number (an old copy of the catalog) are told apart.
    public var run: String

    public init(controller: String, sequence: Int, run: String) {
        self.controller = controller
        self.sequence = sequence
        self.run = run
    }
}

extension AttemptReport {
    /// - Throws: ``InvalidAnswer`` where the answer is not one about an attempt.
    init(_ answer: WorkerAnswer, expectedGeneration: String?) throws(InvalidAnswer) {
        guard let words = answer["state"]?.words(7), let state = words.first else { throw answer.unexpected }
        let word = words.count > 1 ? words[1] : "-"
        let output = try answer.tail("out")
        let errorOutput = try answer.tail("err")
        switch state {
        case "finished":
            guard words.count == 6, ["exit", "timeout"].contains(word) else { throw answer.unexpected }
            // A worker whose clock jumped may say any duration.
            let hundredths = try AnswerText.number(words[3], in: (.min)...(.max), "the duration of the attempt")
            var result = AttemptResult(
                exitStatus: try AnswerText.number(words[2], in: 0...255, "the exit status of the attempt"),
                timedOut: word == "timeout", duration: .milliseconds(10 * min(max(0, hundredths), Self.longest)),
                output: output, errorOutput: errorOutput)
            let holders = answer.records.lazy.filter { $0.name == "holder" }.prefix(5)
            result.isOutputKept = !holders.isEmpty
            result.holders = holders.map { VisibleText.escape(String($0.text.prefix(40)), for: .terminal) }
                .filter { $0 != "-" }
            self = .finished(result)
        case "running": self = .running
        case "absent": self = .absent
        case "fenced": self = .fenced
        case "notstarted":
            let reasons: [String: NotStarted] = [
                "late": .tooLate, "nojob": .noJobDirectory, "generation": .generationChanged,
                "settled": .runIsCleanedUp,
                "nospace": .other("the worker could not write that it begins; is its disk full?"),
            ]
            let other = try AnswerText.word(word, "the reason why the attempt did not begin")
            self = .notStarted(reasons[other] ?? .other(other))
        case "died":
            var orphans: [Int] = []
            for number in word.split(separator: ",").prefix(Self.orphanLimit) where number != "-" {
                orphans.append(try AnswerText.number(number, in: 1...(1 << 22), "a process that the attempt left"))
            }
            self = .interrupted(
                Interruption(cause: .died(orphans: orphans), output: output, errorOutput: errorOutput))
        case "rebooted":
            self = .interrupted(Interruption(cause: .rebooted, output: output, errorOutput: errorOutput))
        case "conflict": self = .conflict
        case "busy": self = .busy(by: try AnswerText.word(word, "the name of what is in the way"))
        case "generation":
            self = .generationChanged(
                expected: expectedGeneration, actual: try AnswerText.word(word, "the generation of its receipts"))
        case "owner": self = .notOwner(try answer.owner)
        case "refused": self = .refused(Self.refusal(try AnswerText.word(word, "the reason of the refusal")))
        default: throw answer.unexpected
        }
    }
}

extension AttemptReport {
    /// A hundred years, in hundredths of a second: a worker whose clock jumped may say anything.
    private static let longest = 100 * 365 * 86400 * 100

    /// Processes that are remembered.
    private static let orphanLimit = 1000

    /// What the script's word, or its runner's exit status, means for people.
    private static func refusal(_ word: String) -> String {
        switch word {
        case "input": "the command did not arrive whole"
        case "14": "the attempt could not be recorded; is the worker's disk full?"
        case "15": "an interrupted push could not be completed"
        default: "the process that was to run it ended first (status \(word))"
        }
    }
}

extension WorkerAnswer {
    func tail(_ name: String) throws(InvalidAnswer) -> Tail {
        guard let record = self[name] else { return Tail() }
        let total = try AnswerText.number(record.text, in: 0...(1 << 50), "how much the attempt printed")
        // What still runs may have printed more since it was counted.
        return Tail(bytes: record.payload, total: max(total, record.payload.count))
    }

    /// The owner that a refusal names.
    var owner: Owner? {
        get throws(InvalidAnswer) {
            guard let words = (self["state"]?.words(2).first == "owner" ? self["state"] : self["owner"])?.words(5)
            else {
                return nil
            }
            let fields = words.first == "owner" ? Array(words.dropFirst()) : words
            guard fields.count == 3 else { return nil }
            let sequence = Int(fields[1]).flatMap { (0..<Owner.implausible).contains($0) ? $0 : nil }
            return Owner(
                controller: try AnswerText.word(fields[0], "its owner"), sequence: sequence ?? Owner.implausible,
                run: try AnswerText.word(fields[2], "its owner's run"))
        }
    }

    /// The answer is none to what was asked.
    var unexpected: InvalidAnswer {
        InvalidAnswer("it is none to what was asked", said: self["state"]?.text ?? "no state")
    }
}
