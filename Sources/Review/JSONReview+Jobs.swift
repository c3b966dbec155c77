internal import Model
internal import Plans

// Waves, and the jobs in them.
extension JSONReview {
    static var wave: OutputTable<(wave: Plan.Wave, diffs: FileDiffs)> {
        OutputTable("wave", "Jobs that do not wait for each other.") { fields in
            fields.required(
                "deployment_seq", .count, "How many levels of demands are below.", \.wave.deploymentSequence)
            fields.required("jobs", .list(of: .object(job)), "") { source in
                source.wave.jobs.map { ($0, source.diffs) }
            }
        }
    }

    private static var job: OutputTable<(job: Plan.Job, diffs: FileDiffs)> {
        OutputTable("job", "A job with its rules and what is done.") { fields in
            fields.required("job", .name(), "The name.", \.job.job)
            fields.required("version", .text, "The version that is deployed.", \.job.version)
            fields.required("demands", .names(), "Jobs that are rolled out before.", \.job.demands)
            fields.required("active", .names(), "Allocations that gates cover, in rollout order.", \.job.active)
            fields.required(
                "disabled", .names(), "Disabled allocations for which hooks run, too.", \.job.disabled)
            fields.required(
                "states", .list(of: .object(states)),
                "What the catalog said of allocations, and what changes in their files."
            ) { source in source.job.from.map { ($0, source.job, source.diffs) } }
            fields.required(
                "content", .list(of: .object(content)), "Trees and the acting allocations that end with them.",
                \.job.content)
            addRules(&fields)
            addOptional(&fields)
        }
    }

    private static func addRules(_ fields: inout OutputTable<(job: Plan.Job, diffs: FileDiffs)>) {
        fields.nullable("hooks", .object(hooks), "What the rollout runs on the controller.") { source in
            source.job.hooks.map { ($0, source.job) }
        }
        fields.required("rollout_order", .word(), "Where the order comes from.", \.job.rolloutOrder)
        fields.required(
            "rollout_order_may_be_replaced_by", .list(of: .command),
            "Hooks of `pre_deploy`, which may set another order: then the same actions are divided into batches again.",
            \.job.orderingCommands)
        fields.required("batching", .object(batching), "How phases are divided into batches.", \.job.batching)
        fields.required(
            "repeatable", .list(of: .word()), "Targets that may run again if the outcome is unknown.", \.job.repeatable)
        fields.required("timeouts_seconds", .object(timeouts), "Limits in seconds.", \.job.timeouts)
        fields.required("gate_first", .boolean, "Whether a gate must pass before the first phase.") {
            $0.job.gateFirst != nil
        }
        fields.optional("gate_after_stops", .boolean, "That gate comes after stops of the job; only if it does.") {
            $0.job.gateFirst == .afterStops ? true : nil
        }
        fields.required("phases", .list(of: .object(phase)), "", \.job.phases)
        fields.required(
            "ports", .map("name of a port", to: .integer(Plan.portRange)), "The job's ports.", \.job.ports)
        fields.nullable("health_check", .object(healthCheck), "What gates ask.", \.job.healthCheck)
    }

    private static func addOptional(_ fields: inout OutputTable<(job: Plan.Job, diffs: FileDiffs)>) {
        fields.optional(
            "secrets", .list(of: .object(secret), least: 1),
            "Secrets that are written into files when these are sent; missing if there is none."
        ) { $0.job.secrets.isEmpty ? nil : $0.job.secrets }
        fields.optional(
            "certificates", .list(of: .object(certificate), least: 1),
            "Certificates in these files; missing if there is none."
        ) { $0.job.certificates.isEmpty ? nil : $0.job.certificates }
        fields.optional(
            "changed_by_service", .list(of: .text, least: 1, isSet: true),
            "Paths that the running service may rewrite, sorted; missing if there is none."
        ) { $0.job.changedByService.isEmpty ? nil : $0.job.changedByService }
    }

    // MARK: Files

    private static var states: OutputTable<(state: Plan.Named<FromState>, job: Plan.Job, diffs: FileDiffs)> {
        OutputTable("states", "A state of allocations, and what changes in their files.") { fields in
            fields.required("name", .text, "Entries of batches refer to it.", \.state.name)
            fields.required("from", .object(state), "What the catalog recorded.", \.state.value)
            fields.required("changes", .list(of: .object(change)), "") { source in
                let changes = source.job.changes.first { $0.name == source.state.name }?.value ?? []
                return changes.map { change in
                    (change, source.diffs.diff(of: change.path, from: source.state.name, in: source.job.job))
                }
            }
        }
    }

    static var state: OutputTable<FromState> {
        OutputTable("state", "What the catalog recorded of an allocation.") { fields in
            fields.required("version", .text, "The version that ran there last; `0.0.0` if none did.", \.version)
            fields.nullable("content", .digest, "The promoted files.", \.content)
            fields.nullable(
                "unfinished", .digest, "Files that were started there and neither promoted nor stopped.", \.unfinished)
            fields.required("stopped", .boolean, "It was stopped because it was disabled.", \.stopped)
            fields.required("stopped_by_hand", .boolean, "A person has stopped it.", \.stoppedByHand)
            fields.required(
                "interrupted", .boolean, "A target by itself has not ended: the files are those that were promoted.",
                \.isInterrupted)
        }
    }

    private static var change: OutputTable<(change: FileChange, diff: FileDiff?)> {
        OutputTable("change", "A file that changes.") { fields in
            fields.required("path", .text, "", \.change.path)
            fields.required("change", .word(), "", \.change.kind)
            fields.nullable("from", .digest, "", \.change.from)
            fields.nullable("to", .digest, "", \.change.to)
            fields.optional(
                "diff_note", .text, "Why there is no diff, such as `binary, 2 bytes -> 3 bytes`."
            ) { if case .note(let text) = $0.diff { text } else { nil } }
            fields.optional("diff", .texts, "The lines of a unified diff; only if the contents were at hand.") {
                source in
                guard case .lines(let lines, _) = source.diff else { return nil }
                return lines.map { $0.kind.prefix + $0.text }
            }
            fields.optional("diff_lines_left_out", .integer(1...Int.max), "") { source in
                if case .lines(_, let hidden) = source.diff, hidden > 0 { hidden } else { nil }
            }
        }
    }

    private static var content: OutputTable<Plan.Content> {
        OutputTable("content", "A tree, and the allocations that end with it.") { fields in
            fields.required("content", .digest, "", \.tree)
            fields.required("workers", .names(), "", \.workers)
        }
    }

    private static var secret: OutputTable<Plan.Secret> {
        OutputTable("secret", "A secret in files.") { fields in
            fields.required("job", .name(), "Whose secret it is.", \.reference.name.job)
            fields.required("key", .text, "", \.reference.name.key)
            fields.required("certificate", .boolean, "It is a certificate or its key.", \.reference.name.isCertificate)
            fields.required("files", .list(of: .text, least: 1), "", \.files)
            fields.nullable("provider", .text, "Who gives the value; null if the catalog stores it.") {
                $0.provider?.description
            }
        }
    }

    private static var certificate: OutputTable<Plan.Certificate> {
        OutputTable("certificate", "A certificate in a file.") { fields in
            fields.required("file", .text, "", \.file)
            fields.nullable("worker", .name(), "The worker that it is for; null if it is for all.", \.worker)
            fields.required("common_name", .text, "", \.commonName)
            fields.required("names", .texts, "Host names and addresses.", \.names)
            fields.required("ends", .instant, "When it is not valid any more.", \.endsAt)
            fields.required("fingerprint", .digest, "Of the certificate.", \.fingerprint)
        }
    }

    // MARK: Rules

    private static var batching: OutputTable<Plan.Batching> {
        OutputTable("batching", "How phases are divided into batches.") { fields in
            fields.required("starts", .count, "The size of a batch of new allocations; 0 means all.", \.starts)
            fields.required("upgrades", .count, "The size of an upgrade batch.", \.upgrades)
            fields.required(
                "first", .list(of: .integer(1...Int.max)), "Sizes of the first upgrade batches, if they differ.",
                \.first)
            fields.nullable("spread", .text, "All workers of a batch have the same value of this tag.", \.spread)
            fields.required("bake_seconds", .count, "Seconds to wait after each gate.", \.bakeSeconds)
            fields.required(
                "max_failures", .count, "Batches go on while at most N allocations of the job have failed.",
                \.maxFailures)
            fields.required(
                "max_unreachable", .count,
                "The job goes on without at most N allocations whose workers cannot be used.", \.maxUnreachable)
        }
    }

    private static var timeouts: OutputTable<Plan.Timeouts> {
        OutputTable("timeouts", "Limits in seconds.") { fields in
            fields.required("action", .count, "Of a Makefile target.", \.action)
            fields.required("hook", .count, "Of a hook.", \.hook)
            fields.required("push", .count, "Of a push.", \.push)
        }
    }

    private static var healthCheck: OutputTable<HealthCheck> {
        OutputTable("health_check", "What gates ask.") { fields in
            fields.required(
                "timeout_seconds", .integer(HealthCheck.timeoutRange), "Of one try of one check.", \.timeoutSeconds)
            fields.required(
                "attempts", .integer(HealthCheck.attemptRange), "How often the checks are tried.", \.attempts)
            fields.required(
                "interval_seconds", .integer(HealthCheck.intervalRange), "Seconds between two tries.", \.intervalSeconds
            )
            fields.required(
                "initial_delay_seconds", .integer(HealthCheck.delayRange), "Seconds before the first try.",
                \.initialDelaySeconds)
            fields.required(
                "successes", .integer(HealthCheck.successRange), "How many tries in a row have to pass.", \.successes)
            fields.required("checks", .list(of: .check), "All must pass. Empty if only hooks are asked.", \.checks)
        }
    }

    // MARK: Phases

    private static var phase: OutputTable<Plan.Phase> {
        OutputTable("phase", "A part of a job's rollout.") { fields in
            fields.required("phase", .word(), "", \.kind)
            fields.required("gate", .word(), "When the health check is asked.", \.gate)
            fields.required("batches", .list(of: .list(of: .object(entry))), "", \.batches)
        }
    }

    private static var entry: OutputTable<Plan.Entry> {
        OutputTable("entry", "What is done with an allocation.") { fields in
            fields.required("worker", .name(), "", \.worker)
            fields.required("action", .word(), "", \.action)
            fields.required("reason", .word(), "", \.reason)
            fields.required("state", .text, "The name of its state.", \.from)
            fields.nullable("not_passed_gate", .word(), "Why it has not passed its last gate.", \.gate)
            fields.required("matched", .map("a glob", to: .texts), "Changed paths that globs match.", \.matched)
        }
    }
}
