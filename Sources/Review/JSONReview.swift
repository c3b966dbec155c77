internal import Model
public import Plans
internal import Windows
public import YAML

/// A plan as JSON, for other programs: everything a plan file says, with names resolved, so that nobody has to parse the
/// plan's YAML. `plans/schema/review.schema.json` describes it. Fields are added under the same `review_format`; when one
/// goes or changes its meaning, the number changes.
///
/// Its tables are in the files beside this one: the output is written with them, and the schema comes from them.
public enum JSONReview {
    /// What `review_format` says.
    public static let format = 1

    /// The JSON Schema of reviews, with a line feed at its end.
    public static var schema: String {
        SchemaBook.document(
            table.description, title: "maand-plan show --format json",
            description:
                "A plan with its names resolved, for other programs. New fields may come under the same review_format; if one "
                + "goes or changes its meaning, the number changes."
        ).text
    }

    /// - Parameters:
    ///   - contents: for diffs of files; empty where they are not wanted.
    ///   - showsSteps: whether the flat list of steps is in it.
    ///   - outlook: when the plan may run next.
    public static func json(
        _ file: PlanFile, contents: FileContents = .none, showsSteps: Bool, outlook: WindowOutlook? = nil
    ) -> JSON {
        table.json(
            Subject(
                file: file, contents: contents, diffs: diffs(file.plan, contents), showsSteps: showsSteps,
                outlook: outlook))
    }

    /// What is shown.
    private struct Subject {
        let file: PlanFile
        let contents: FileContents
        let diffs: FileDiffs
        let showsSteps: Bool
        let outlook: WindowOutlook?
        var plan: Plan { file.plan }
    }

    private static func diffs(_ plan: Plan, _ contents: FileContents) -> FileDiffs {
        FileDiffs(plan, DiffReader(contents, whole: .all, perFile: 1000, total: 20_000))
    }

    private static var table: OutputTable<Subject> {
        OutputTable("review", "A plan with its names resolved.") { fields in
            fields.constant("review_format", .int(format), "")
            fields.required("plan", .text, "The plan's id.", \.file.id.description)
            fields.constant("plan_format", .int(Plan.format), "")
            addHead(&fields)
            addAllocations(&fields)
            fields.required(
                "waves", waves, "Ascending by `deployment_seq`; descending in a plan that takes a run back."
            ) { ($0.plan, $0.diffs) }
            fields.required(
                "not_bound", .list(of: .object(unpinned)),
                "What may change what the plan does, without a byte of it being changed.", \.plan.unpinned)
            addWayBack(&fields)
            fields.nullable("facts", .object(Facts.table), "Only if the plan has hooks.", \.plan.facts)
            fields.optional(
                "steps", .list(of: .object(step)),
                "With `--steps`. The steps of one stage act on their workers in parallel."
            ) { $0.showsSteps ? StepList.rows($0.plan) : nil }
        }
    }

    private static func addHead(_ fields: inout OutputTable<Subject>) {
        fields.required("kind", .word(), "What the plan is for.", \.plan.kind)
        fields.required("bucket", .text, "The id of the bucket.", \.plan.fleet.bucket)
        fields.required("transport", .word(), "How workers are reached.", \.plan.fleet.transport)
        fields.required("worker_root", .text, "The folder on workers that contains buckets.", \.plan.fleet.workerRoot)
        fields.required(
            "catalog_revision", .count, "The catalog that the plan was made from.", \.plan.base.catalogRevision)
        fields.required(
            "options", options,
            """
            The options of `maand-plan`, by the kind of the plan; those of other kinds than `deploy` are left out if they were \
            not given.
            """, \.plan.work)
        fields.required("policy", .object(policy), "Rules for the run.", \.plan.policy)
        fields.nullable("window", .object(MaintenanceWindow.table), "Null means always.", \.plan.window)
        fields.nullable(
            "next_openings", WindowOutlook.type,
            """
            The next times in which it may run, seen from the moment when it is shown, without the bucket's freezes; null if \
            nothing restricts it.
            """, \.outlook)
        fields.required("summary", .object(summary), "", \.plan.summary)
        fields.required("changes_something", .boolean, "", { !$0.plan.isEmpty })
        fields.required("workers", .list(of: .object(worker)), "", \.plan.fleet.workers)
        fields.required("renames", .list(of: .object(rename)), "", \.plan.renames)
    }

    private static func addAllocations(_ fields: inout OutputTable<Subject>) {
        fields.required(
            "excluded", allocations, "Allocations that would change, and that the options leave out; by job.",
            \.plan.work.body.excluded)
        fields.required(
            "stopped_by_hand", allocations,
            "Allocations that a person has stopped, and that the plan leaves stopped; by job.", \.plan.stoppedByHand)
        fields.required(
            "drained", allocations,
            "Allocations that an earlier run has drained, and that the plan does not put back; by job.",
            \.plan.work.body.drained)
        fields.nullable("on_workers", .object(onWorkers), "Null if nothing is done on workers as a whole.") {
            $0.plan.work.workerBatches == nil ? nil : $0.plan.work
        }
        addStops(&fields, of: \.plan)
    }

    private static func addStops<Source>(_ fields: inout OutputTable<Source>, of plan: @escaping (Source) -> Plan) {
        fields.required("stops", .list(of: .object(stop)), "Allocations that are stopped.") { plan($0).reconcile }
        fields.required("stop_hooks", .list(of: .object(stopHooks)), "What runs on the controller for them.") {
            source in
            let plan = plan(source)
            return plan.stopHooks.map { ($0, plan) }
        }
    }

    private static var waves: OutputType<(Plan, FileDiffs)> {
        let waves = OutputType<[(wave: Plan.Wave, diffs: FileDiffs)]>.list(of: .object(wave))
        return OutputType(waves.description) { plan, diffs in waves.json(plan.waves.map { ($0, diffs) }) }
    }

    /// Names of workers by job.
    private static var allocations: OutputType<[Plan.Named<[WorkerName]>]> { .map("job", to: .names()) }

    private static var unpinned: OutputTable<UnpinnedInput> {
        OutputTable("not_bound", "Something that the plan depends on, and that it does not contain.") { fields in
            fields.required("subject", .text, "", \.subject)
            fields.required("detail", .text, "", \.detail)
        }
    }

    private static var step: OutputTable<StepList.Row> {
        OutputTable("step", "A step of the run.") { fields in
            fields.required("id", .text, "The id under which `maand-apply` records the step.", \.id.text)
            fields.required("stage", .integer(1...Int.max), "", \.stage)
            fields.required("action", .text, "What it does; of a hook its command.") { row in
                row.step?.task.rules.verb ?? row.id.text
            }
            fields.nullable("job", .name(), "Null if it belongs to no job.", \.step?.job)
            fields.nullable("worker", .name(), "Null if it belongs to no worker.", \.step?.worker)
            fields.nullable("event", .word(), "Of a hook; null for other steps.") { row in
                if case .hook(let hook)? = row.step?.task { hook.event } else { nil }
            }
        }
    }

    // MARK: Ways back

    private static func addWayBack(_ fields: inout OutputTable<Subject>) {
        fields.optional(
            "rolls_back", .object(rollsBack),
            "The run that the plan takes back; only in a plan of `maand-plan rollback`.", \.plan.origin)
        fields.optional(
            "failed_before", allocations,
            "Allocations that get files which were rolled back there, by job; missing if there are none."
        ) { $0.plan.work.body.failedBefore.isEmpty ? nil : $0.plan.work.body.failedBefore }
        fields.optional(
            "unmatched", .list(of: .object(unmatched), least: 1),
            "Jobs whose selectors match no worker; missing if there are none."
        ) { source in
            guard case .deploy(let deploy) = source.plan.work, !deploy.unmatched.isEmpty else { return nil }
            return deploy.unmatched
        }
        fields.optional(
            "way_back", .object(wayBack),
            """
            What is done if a job fails, as if everything had been promoted; only if `on_failure` is `rollback`.
            """
        ) { source in
            guard let back = source.plan.wholeWayBack, let remains = source.plan.wayBack?.remains else { return nil }
            return (back, diffs(back, source.contents), remains)
        }
    }

    private static var unmatched: OutputTable<Plan.UnmatchedJob> {
        OutputTable("unmatched", "A job without a worker.") { fields in
            fields.required("job", .name(), "", \.job)
            fields.required("selectors", .list(of: .text), "Labels that a worker needs for the job.", \.selectors)
            fields.required(
                "nearest", .map("selector", to: .text),
                "Selectors that no worker has, with a label of a worker that is spelled nearly so.", \.nearest)
        }
    }

    private static var rollsBack: OutputTable<Deploy.Origin> {
        OutputTable("rolls_back", "A run that a plan takes back.") { fields in
            fields.required("run", .integer(1...Int.max), "", \.rollback.number)
            fields.include(remains, of: \.remains)
        }
    }

    private static var wayBack: OutputTable<(plan: Plan, diffs: FileDiffs, remains: WayBack.Remains)> {
        OutputTable("way_back", "What is done if a job fails.") { fields in
            fields.required("waves", waves, "Descending by `deployment_seq`.") { ($0.plan, $0.diffs) }
            addStops(&fields, of: \.plan)
            fields.include(remains, of: \.remains)
        }
    }

    private static var remains: OutputTable<WayBack.Remains> {
        let commands = OutputTable<Plan.Named<[String]>>("job_commands", "Commands of a job.") { fields in
            fields.required("job", .text, "", \.name)
            fields.required("commands", .list(of: .command, least: 1), "", \.value)
        }
        return OutputTable("remains", "What is not taken back.") { fields in
            fields.required(
                "stays_stopped", allocations, "Allocations that the run stops, and that stay stopped; by job.",
                \.stopped)
            fields.required(
                "hooks_stay", .list(of: .object(commands)),
                "Commands of the run on the controller whose effects stay.", \.hooks)
        }
    }
}
