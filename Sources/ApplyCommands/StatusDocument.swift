import Commands
import Foundation
import Model
import Plans

/// What `status --format json` prints: stable keys, for programs. `--events` tells the same as it changes.
struct StatusDocument: Encodable, Equatable {
    var run: Int
    var state: String
    var plan: String
    var started_at: String
    var started_by: String
    var ended_at: String?
    /// Why it is in its state, as a word beside `detail`.
    var code: String?
    var detail: String?
    var pid: Int?
    /// Only if the plan cannot be read.
    var plan_problem: String?
    var jobs: [Job]
    var steps: [OpenStep]
    var left_behind: [LeftBehindRow]
    var drained: [Drained]

    struct Job: Encodable, Equatable {
        var job: String
        var state: String
        /// Jobs that it waits for; nil if it is not blocked. Empty if `on_failure` is what blocks it.
        var blocked_by: [String]?
        var done: Int
        var steps: Int
        /// Nil if no batches are made.
        var rollout_order: Order?
        /// True if it is a part of the run's way back.
        var way_back: Bool?
    }

    /// In which order a job's batches are made.
    struct Order: Encodable, Equatable {
        enum Source: String, Encodable {
            /// The order of `workers.json`.
            case workers
            /// The job's `rollout_order` key, when the plan was made.
            case keyValue = "kv"
            /// A hook of the run has set another instead of the plan's.
            case hook
        }

        var source: Source
        var workers: [String]
        /// What was decided about an order that hooks might set; nil if none may, or none has yet.
        var detail: String?
    }

    /// A step that is neither pending nor succeeded.
    struct OpenStep: Encodable, Equatable {
        var step: String
        var attempt: Int
        var state: String
        /// Why it is in its state, as a word beside `detail`.
        var code: String?
        var detail: String?
    }

    struct Drained: Encodable, Hashable {
        var job: String
        var worker: String
    }

    /// The document, with a line feed at its end.
    func text() throws -> String { String(decoding: try JSONEncoder.document.encode(self), as: UTF8.self) }
}

/// What a run has gone on without, for programs.
struct LeftBehindRow: Encodable, Hashable {
    /// Nil for a worker as a whole.
    var job: String?
    var worker: String?
    var reason: String

    init(_ subject: Subject, _ reason: String) {
        job = subject.job?.text
        worker = subject.worker?.text
        self.reason = reason
    }
}

// MARK: Changes

extension StatusDocument {
    /// What is to be told so that a reader who knows `old` knows `new`.
    ///
    /// - Parameter old: nil if nothing was told yet.
    static func changes(from old: Self?, to new: Self, at now: Timestamp) -> [EventLine] {
        var lines: [EventLine] = []
        func add(_ event: EventLine.Word, _ fill: (inout EventLine) -> Void) {
            var line = EventLine(event, at: now)
            fill(&line)
            lines.append(line)
        }
        if old?.head != new.head { add(.runState, new.fill) }
        for (index, job) in new.jobs.enumerated()
        where !(old?.jobs.indices.contains(index) == true)
            || old?.jobs[index] != job
        {
            add(.jobState, job.fill)
        }
        let before = Dictionary((old?.steps ?? []).map { ($0.step, $0) }) { _, last in last }
        for step in new.steps where before[step.step] != step { add(.stepState, step.fill) }
        let open = Set(new.steps.map(\.step))
        for step in old?.steps ?? [] where !open.contains(step.step) {
            add(.stepState) { ($0.step, $0.attempt, $0.state) = (step.step, step.attempt, "succeeded") }
        }
        let (left, wasLeft) = (Set(new.left_behind), Set(old?.left_behind ?? []))
        for row in new.left_behind where !wasLeft.contains(row) {
            add(.leftBehind) {
                row.fill(&$0)
                $0.detail = row.reason
            }
        }
        let names = Set(left.map(\.name))
        for row in old?.left_behind ?? [] where !names.contains(row.name) { add(.takenIn, row.fill) }
        let (drained, wasDrained) = (Set(new.drained), Set(old?.drained ?? []))
        for row in new.drained where !wasDrained.contains(row) { add(.drained, row.fill) }
        for row in old?.drained ?? [] where !drained.contains(row) { add(.putBack, row.fill) }
        return lines
    }

    /// What was told of a subject that was left behind.
    mutating func noteLeftBehind(_ subject: Subject, _ reason: String) {
        let row = LeftBehindRow(subject, reason)
        left_behind.removeAll { $0.name == row.name }
        left_behind.append(row)
    }

    /// All that concerns the run as a whole.
    private var head: Self {
        var head = self
        (head.jobs, head.steps, head.left_behind, head.drained) = ([], [], [], [])
        return head
    }

    private func fill(_ line: inout EventLine) {
        (line.state, line.plan) = (state, Digest(plan))
        (line.startedAt, line.startedBy, line.endedAt) = (started_at, started_by, ended_at)
        (line.code, line.detail, line.pid, line.planProblem) = (code, detail, pid, plan_problem)
    }
}

extension StatusDocument.Job {
    fileprivate func fill(_ line: inout EventLine) {
        (line.job, line.state, line.blockedBy) = (job, state, blocked_by)
        (line.done, line.steps, line.wayBack) = (done, steps, way_back == true)
        line.order = rollout_order.map {
            EventLine.Order(source: $0.source.rawValue, workers: $0.workers, detail: $0.detail)
        }
    }
}

extension StatusDocument.OpenStep {
    fileprivate func fill(_ line: inout EventLine) {
        (line.step, line.attempt, line.state) = (step, attempt, state)
        (line.code, line.detail) = (code, detail)
    }
}

extension StatusDocument.Drained {
    fileprivate func fill(_ line: inout EventLine) {
        (line.job, line.worker, line.allocations) = (job, worker, ["\(job) on \(worker)"])
    }
}

extension LeftBehindRow {
    /// Tells it apart from others, whatever the reason is.
    fileprivate var name: String { [job, worker].compactMap(\.self).joined(separator: " on ") }

    fileprivate func fill(_ line: inout EventLine) {
        (line.job, line.worker, line.allocations) = (job, worker, [name])
    }
}
