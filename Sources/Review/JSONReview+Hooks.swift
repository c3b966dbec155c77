internal import Model
internal import Plans

// Commands that run on the controller.
extension JSONReview {
    private static let modules = "The digest of the folder of the job's hooks, `_modules` or `_hooks`."

    static var hook: OutputTable<Plan.Hook> {
        OutputTable("hook", "A command of the job, which runs on the controller.") { fields in
            fields.required("command", .command, "The name.", \.command)
            fields.required("script", .script, "Its file in `_modules` or `_hooks`.", \.script)
            fields.required("digest", .digest, "The SHA-256 of that file.", \.digest)
            fields.required("repeatable", .boolean, "It may run again when its outcome is unknown.", \.isRepeatable)
        }
    }

    static var hooks: OutputTable<(hooks: Plan.Hooks, job: Plan.Job)> {
        let event = OutputTable<(event: HookEvent, job: Plan.Job)>("event", "What runs on an event.") { fields in
            fields.required("event", .word(), "", \.event)
            fields.required("allocations", .integer(1...Int.max), "For how many it runs, each by itself.") {
                $0.job.allocations(of: $0.event)
            }
            fields.required("commands", .list(of: .object(hook), least: 1), "In the order in which they run.") {
                $0.job.hooks?[$0.event] ?? []
            }
        }
        return OutputTable("hooks", "What the rollout runs on the controller.") { fields in
            fields.required("modules", .digest, modules, \.hooks.modules)
            fields.required("events", .list(of: .object(event), least: 1), "") { source in
                HookEvent.allCases.filter { !source.hooks[$0].isEmpty }.map { ($0, source.job) }
            }
        }
    }

    static var stopHooks: OutputTable<(hooks: Plan.StopHooks, plan: Plan)> {
        let around = OutputTable<(event: HookEvent, hooks: Plan.StopHooks)>("around", "What runs around stops.") {
            fields in
            fields.required("event", .word(Plan.StopHooks.events), "", \.event)
            fields.required("commands", .list(of: .object(hook), least: 1), "In the order in which they run.") {
                $0.hooks[$0.event]
            }
        }
        return OutputTable("stop_hooks", "What runs on the controller when allocations of a job are stopped.") {
            fields in
            fields.required("job", .name(), "", \.hooks.job)
            fields.required("timeout_seconds", .integer(Plan.Timeouts.range), "For each hook.", \.hooks.timeout)
            fields.required("modules", .digest, modules, \.hooks.modules)
            fields.required("allocations", .integer(1...Int.max), "For how many it runs, each by itself.") { source in
                source.plan.reconcile.count { $0.allocation.job == source.hooks.job }
            }
            fields.required(
                "commands", .list(of: .object(hook)), "Those that run when an allocation was stopped.", \.hooks.commands
            )
            fields.required("around", .list(of: .object(around)), "Those that run around the stops.") { source in
                Plan.StopHooks.events.filter { !source.hooks[$0].isEmpty }.map { ($0, source.hooks) }
            }
        }
    }
}
