internal import Model
internal import Plans
internal import YAML

// Options, workers, and what is done with them.
extension JSONReview {
    /// The options of `maand-plan`, by the kind of the plan.
    static var options: OutputType<Work> {
        let deploy = deployOptions
        let operation = OutputType<Operation>.options
        let command = OutputType<RunCommand.Options>.options
        let reboot = OutputType<Reboot.Options>.options
        let forms = [.object(deploy.description), operation.description, command.description, reboot.description]
        return OutputType(.either(forms)) { work in
            switch work {
            case .deploy, .jobCommand: deploy.json(work.body.options)
            case .operation(let work): operation.json(work)
            case .runCommand(let work): command.json(work.options)
            case .reboot(let work): reboot.json(work.options)
            }
        }
    }

    private static var deployOptions: OutputTable<Plan.Options> {
        OutputTable("options", "The options of `maand-plan deploy`, `job-command` and `rollback`.") { fields in
            fields.required("jobs", .names(), "", \.jobs)
            fields.required("force", .boolean, "", \.force)
            fields.required("sync_only", .boolean, "", \.syncOnly)
            fields.required("recover", .names(), "", \.recover)
            fields.nullable("max_unreachable", .text, "", \.maxUnreachable?.text)
            fields.required("workers", .names(), "", \.selection.workers)
            fields.required("labels", .texts, "", \.selection.labels)
            fields.required("exclude", .names(), "", \.selection.exclude)
            fields.required("include_stopped", .boolean, "", \.includeStopped)
            fields.nullable(
                "on_failure", .word(), "The value of `--on-failure`; null if it was not given.", \.onFailure)
            fields.required(
                "stops", OutputType(.word(["first", "last"])) { .string($0 ? "last" : "first") },
                "When disabled and removed allocations are stopped.", \.stopsLast)
        }
    }

    static var policy: OutputTable<Plan.Policy> {
        OutputTable("policy", "Rules for the run.") { fields in
            fields.required("on_failure", .word(), "What happens if a job fails.", \.onFailure)
            fields.required(
                "job_parallelism", .integer(1...64), "Jobs that are rolled out at a time.", \.jobParallelism)
            fields.nullable("start_before", .instant, "The run must start before.", \.startBefore)
        }
    }

    static var summary: OutputTable<Plan.Summary> {
        OutputTable("summary", "How many waves there are, and how often each action.") { fields in
            fields.required("waves", .count, "", \.waves)
            for action in Plan.Summary.order { fields.required(action.rawValue, .count, "") { $0[action] } }
            fields.required("unchanged", .count, "Allocations that nothing happens to.", \.unchanged)
        }
    }

    static var worker: OutputTable<PlanWorker> {
        OutputTable("worker", "A worker of the plan.") { fields in
            fields.required("worker", .name(), "The name.", \.worker)
            fields.required("address", .text, "", \.address)
            fields.nullable("port", .integer(Plan.portRange), "The ssh port.", \.ssh?.port)
            fields.nullable("user", .text, "The ssh user.", \.ssh?.user)
            fields.required("host_keys", .texts, "Host keys that are accepted.") { $0.ssh?.hostKeys ?? [] }
            fields.nullable("zone", .text, "The tag `zone`.", \.zone)
            fields.required(
                "tags", .texts(by: "name of a tag"), "The worker's tags in `workers.json`, without `zone`.", \.tags)
            fields.required("removed", .boolean, "It is not in `workers.json` any more.", \.isRemoved)
        }
    }

    static var rename: OutputTable<Plan.Rename> {
        OutputTable("rename", "A worker that has another name now; nothing is stopped or started for it.") { fields in
            fields.required("from", .name(), "The name that the catalog has.", \.from)
            fields.required("to", .name(), "The name that the workspace has.", \.to)
            fields.required("generation", .text, "Of the receipts that the machine has to show.", \.generation)
        }
    }

    /// What is done on workers as a whole.
    static var onWorkers: OutputTable<Work> {
        OutputTable("on_workers", "What is done on workers as a whole.") { fields in
            fields.optional("command", .workerCommand, "The lines of shell.") { work in
                if case .runCommand(let command) = work { command.command } else { nil }
            }
            fields.optional("reboot", .reboot, "How workers are rebooted.") { work in
                if case .reboot(let reboot) = work { reboot.rules } else { nil }
            }
            fields.required("max_unreachable", .count, "Workers that may be left behind.") {
                $0.workerBatches?.maxUnreachable ?? 0
            }
            fields.required("batches", .list(of: .names()), "") { $0.workerBatches?.batches ?? [] }
        }
    }

    static var stop: OutputTable<Plan.Stop> {
        OutputTable("stop", "An allocation that is stopped.") { fields in
            fields.required("job", .name(), "", \.allocation.job)
            fields.required("worker", .name(), "", \.allocation.worker)
            fields.constant("action", .string(LifecycleAction.stop.rawValue), "")
            fields.required("reason", .word(), "", \.reason)
            fields.required("from", .object(state), "What the catalog recorded.", \.from)
            fields.required("timeout_seconds", .count, "Of the target.", \.timeout)
            fields.required(
                "makefile_optional", .boolean, "Nothing is run if the allocation has no Makefile.", \.isMakefileOptional
            )
            fields.required(
                "leaves", .word(),
                """
                The state of the allocation afterwards: `stopped` as a disabled one, `stopped_by_hand` as one that a person has \
                stopped; with `removed` its files go.
                """, \.end)
        }
    }
}
