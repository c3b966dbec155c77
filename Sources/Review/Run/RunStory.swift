public import Model
public import Plans

/// What is recorded of a run, as a report needs it: read by those who see a catalog, told by `RunHTML`, `RunMarkdown` and
/// `RunJSON`.
public struct RunStory: Sendable {
    /// The run as a whole.
    public struct Head: Sendable {
        public var run: RunID
        /// A word of `RunState`, or `interrupted`.
        public var state: String
        /// Why, for programs.
        public var code: String?
        /// Why, for people.
        public var detail: String?
        public var plan: Digest
        public var startedAt: Timestamp
        public var startedBy: String
        public var endedAt: Timestamp?
        /// When all of this was read.
        public var readAt: Timestamp

        public init(
            run: RunID, state: String, code: String?, detail: String?, plan: Digest, startedAt: Timestamp,
            startedBy: String, endedAt: Timestamp?, readAt: Timestamp
        ) {
            self.run = run
            self.state = state
            self.code = code
            self.detail = detail
            self.plan = plan
            self.startedAt = startedAt
            self.startedBy = startedBy
            self.endedAt = endedAt
            self.readAt = readAt
        }
    }

    /// What one process has done: from when to when it was at work, and how it left the run.
    public struct Part: Sendable {
        public var beganAt: Timestamp
        public var beganBy: String
        /// Nil while it is at work, and if it was killed.
        public var endedAt: Timestamp?
        /// A word of `RunState`.
        public var state: String?
        public var detail: String?

        public init(beganAt: Timestamp, beganBy: String, endedAt: Timestamp?, state: String?, detail: String?) {
            self.beganAt = beganAt
            self.beganBy = beganBy
            self.endedAt = endedAt
            self.state = state
            self.detail = detail
        }
    }

    /// One person's approval.
    public struct Approval: Sendable {
        public var principal: String
        public var key: String
        /// When the signature was written, as far as it is known.
        public var writtenAt: Timestamp?

        public init(principal: String, key: String, writtenAt: Timestamp?) {
            self.principal = principal
            self.key = key
            self.writtenAt = writtenAt
        }
    }

    /// What a person decided.
    public struct Decision: Sendable {
        public var at: Timestamp
        public var by: String
        public var what: String
        public var step: StepID?
        public var reason: String

        public init(at: Timestamp, by: String, what: String, step: StepID?, reason: String) {
            self.at = at
            self.by = by
            self.what = what
            self.step = step
            self.reason = reason
        }
    }

    /// One attempt of one step.
    public struct Attempt: Sendable {
        public var number: Int
        public var state: StepState
        public var startedAt: Timestamp
        public var endedAt: Timestamp?
        public var exitStatus: Int?
        public var code: String?
        public var detail: String?
        /// The row says that the step has to be done again, and not that an attempt failed.
        public var isReopened: Bool
        /// The end of what it printed, of an attempt that did not succeed.
        public var output: Output?

        public init(
            number: Int, state: StepState, startedAt: Timestamp, endedAt: Timestamp?, exitStatus: Int? = nil,
            code: String? = nil, detail: String? = nil, isReopened: Bool = false, output: Output? = nil
        ) {
            self.number = number
            self.state = state
            self.startedAt = startedAt
            self.endedAt = endedAt
            self.exitStatus = exitStatus
            self.code = code
            self.detail = detail
            self.isReopened = isReopened
            self.output = output
        }
    }

    /// What an attempt printed.
    public struct Output: Hashable, Sendable {
        public var stdout: String
        public var stderr: String

        public init(stdout: String, stderr: String) {
            self.stdout = stdout
            self.stderr = stderr
        }
    }

    /// The steps of a plan with how its jobs stand: the plan of the run, or its way back.
    public struct Section: Sendable {
        public var graph: StepGraph
        public var isWayBack: Bool
        /// How each unit of the graph stands, as `status` says it.
        public var states: [String]

        public init(graph: StepGraph, isWayBack: Bool, states: [String]) {
            self.graph = graph
            self.isWayBack = isWayBack
            self.states = states
        }
    }

    /// What the run goes on without.
    public struct LeftBehind: Sendable {
        public var subject: Subject
        public var reason: String

        public init(subject: Subject, reason: String) {
            self.subject = subject
            self.reason = reason
        }
    }

    public var head: Head
    /// Empty if nothing of it was recorded.
    public var parts: [Part] = []
    /// The digest of the approval policy; nil if the run needed no approval.
    public var policy: Digest?
    public var approvals: [Approval] = []
    public var decisions: [Decision] = []
    /// Empty if the plan cannot be read.
    public var sections: [Section] = []
    /// Why the plan cannot be read.
    public var planProblem: String?
    /// All attempts of each step, first to last.
    public var attempts: [StepID: [Attempt]] = [:]
    /// Milliseconds that such steps took in earlier runs, by job and the step's verb.
    public var earlier: [JobName: [String: [Int64]]] = [:]
    public var leftBehind: [LeftBehind] = []
    /// What hooks have drained and not put back.
    public var drained: [AllocationID] = []

    public init(head: Head) { self.head = head }

    /// The plan of the run; nil if it cannot be read.
    var plan: Plan? { sections.first { !$0.isWayBack }?.graph.plan }
}

extension RunStory.Head {
    /// When it ended; if it has not, when this was read.
    var lastAt: Timestamp { endedAt ?? readAt }

    /// `Run 7 failed and was rolled back`.
    var title: String {
        let phrase = RunState(rawValue: state)?.phrase ?? "was interrupted: no process executes it"
        return "Run \(run) \(phrase)"
    }
}
