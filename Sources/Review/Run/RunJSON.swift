internal import Model
internal import Plans
internal import Windows
public import YAML

/// A run for programs: what the page shows, with all attempts.
public enum RunJSON {
    /// Of the document. A release may add fields; it renames and removes none.
    public static let version = 1

    public static func document(_ story: RunStory) -> JSON {
        let outline = RunOutline(story)
        return .object([
            ("version", .int(version)), ("run", .int(story.head.run.number)), ("state", .string(story.head.state)),
            ("code", .optional(story.head.code)), ("detail", .optional(story.head.detail)),
            ("plan", .string(story.head.plan.description)), ("summary", .optional(story.plan?.summaryLine)),
            ("started_at", time(story.head.startedAt)), ("started_by", .string(story.head.startedBy)),
            ("ended_at", time(story.head.endedAt)), ("read_at", time(story.head.readAt)),
            ("plan_problem", .optional(story.planProblem)),
            ("parts", .array(story.parts.map(part))), ("policy", .optional(story.policy?.description)),
            ("approvals", .array(story.approvals.map(approval))), ("decisions", .array(story.decisions.map(decision))),
            ("jobs", .array(outline.jobs.map(job))), ("failures", .array(outline.failures.map(failure))),
            (
                "left_behind",
                .array(
                    story.leftBehind.map { item in
                        .object([
                            ("job", .optional(item.subject.job?.text)),
                            ("worker", .optional(item.subject.worker?.text)),
                            ("reason", .string(item.reason)),
                        ])
                    })
            ),
            (
                "drained",
                .array(
                    story.drained.map { .object([("job", .string($0.job.text)), ("worker", .string($0.worker.text))]) })
            ), ("steps", .array(steps(story))),
        ])
    }

    private static func time(_ time: Timestamp?) -> JSON { .optional(time?.utcText) }

    private static func number(_ value: Int64?) -> JSON { value.map { .int(Int($0)) } ?? .null }

    private static func part(_ part: RunStory.Part) -> JSON {
        .object([
            ("began_at", time(part.beganAt)), ("began_by", .string(part.beganBy)), ("ended_at", time(part.endedAt)),
            ("state", .optional(part.state)), ("detail", .optional(part.detail)),
        ])
    }

    private static func approval(_ approval: RunStory.Approval) -> JSON {
        .object([
            ("principal", .string(approval.principal)), ("key", .string(approval.key)),
            ("written_at", time(approval.writtenAt)),
        ])
    }

    private static func decision(_ decision: RunStory.Decision) -> JSON {
        .object([
            ("at", time(decision.at)), ("by", .string(decision.by)), ("what", .string(decision.what)),
            ("step", .optional(decision.step?.text)), ("reason", .string(decision.reason)),
        ])
    }

    private static func job(_ job: RunOutline.JobRow) -> JSON {
        .object([
            ("job", .string(job.name)), ("way_back", .bool(job.isWayBack)), ("wave", .optional(job.wave)),
            ("state", .string(job.state)), ("allocations", .int(job.all)), ("done", .int(job.done)),
            ("failed", .int(job.failed)), ("left_behind", .int(job.leftBehind)), ("gates", .int(job.gates)),
            ("gates_passed", .int(job.gatesPassed)), ("gates_failed", .int(job.gatesFailed)),
            ("began_at", time(job.from)), ("ended_at", time(job.to)), ("milliseconds", .int(Int(job.busy))),
            ("usual_milliseconds", number(job.expected)),
        ])
    }

    private static func failure(_ failure: RunOutline.Failure) -> JSON {
        .object([
            ("what", .string(failure.what)), ("state", .string(failure.state.rawValue)),
            ("code", .optional(failure.code)), ("detail", .optional(failure.detail)),
            ("exit_status", failure.exitStatus.map(JSON.int) ?? .null),
            ("workers", .array(failure.workers.map { .string($0.text) })),
            ("steps", .array(failure.steps.map { .string($0.text) })), ("succeeded_since", .bool(failure.isOvercome)),
            ("stdout", .optional(failure.output?.stdout)), ("stderr", .optional(failure.output?.stderr)),
        ])
    }

    /// Steps that were begun, in the order of the plan.
    private static func steps(_ story: RunStory) -> [JSON] {
        let expectation = Expectation(story)
        return story.sections.flatMap { section in
            section.graph.steps.compactMap { step -> JSON? in
                guard let attempts = story.attempts[step.id], !attempts.isEmpty else { return nil }
                let usual = expectation.quantiles(of: step)
                return .object([
                    ("step", .string(step.id.text)), ("job", .optional(step.job?.text)),
                    ("worker", .optional(step.worker?.text)), ("usual_milliseconds", number(usual?.half)),
                    ("slow_milliseconds", number(usual?.ninth)),
                    ("attempts", .array(attempts.map(attempt))),
                ])
            }
        }
    }

    private static func attempt(_ attempt: RunStory.Attempt) -> JSON {
        .object([
            ("attempt", .int(attempt.number)), ("state", .string(attempt.state.rawValue)),
            ("started_at", .int(Int(attempt.startedAt.milliseconds))),
            ("ended_at", number(attempt.endedAt?.milliseconds)),
            ("exit_status", attempt.exitStatus.map(JSON.int) ?? .null), ("code", .optional(attempt.code)),
            ("detail", .optional(attempt.detail)), ("reopened", .bool(attempt.isReopened)),
        ])
    }
}
