public import Model
package import YAML

extension DriftReport {
    /// For other programs.
    package var json: JSON { RecordType().json(self) ?? .null }

    /// The JSON Schema of `json`, with a line feed at its end.
    public static var schema: String {
        SchemaBook.schema(
            of: Self.self, title: "maand-plan drift --format json",
            description: "What on the workers differs from what was promoted. New fields may come under the same "
                + "drift_format; where one goes or changes its meaning, the number changes."
        ).text
    }
}

extension RunState: FieldValue {}
extension DriftReport.Obstacle: FieldValue {}
extension DriftReport.Kind: FieldValue {}
extension DriftReport.Change: FieldValue {}
extension DriftReport.Thing: FieldValue {}
extension DriftReport.Service.State: FieldValue {}

extension DriftReport: Record, FieldValue {
    static let title = "drift"
    static let meaning = "What on the workers differs from what was promoted."
    static let style = Emitter.Style.block
    static let blank = DriftReport(bucket: "", comparedAt: Timestamp(milliseconds: 0))

    mutating func visit(_ fields: inout some Fields) {
        var differs = differs
        fields.constant("drift_format", .int(Self.format), "the number of this form")
        fields.required("bucket", &bucket, "the id of the bucket")
        fields.required("compared_at", &comparedAt, "when the comparison began")
        fields.required(
            "differs", &differs,
            "whether anything is not as it was promoted: an allocation, a worker or a service, or something that could not "
                + "be compared")
        fields.optional("under_way", &underWay, "a run that has not ended, or a command that holds the bucket")
        fields.required("workers", &workers, .count, "how many workers were asked")
        fields.required("allocations", &allocations, .count, "how many allocations were compared")
        fields.required("silent", &silent, "workers that did not answer, and why. Nothing of them was compared")
        fields.required(
            "foreign", &foreign, "workers that another controller has taken, or that know runs which the catalog lacks")
        fields.required("differing", &differing, "allocations that differ")
        fields.required(
            "files", &files, "their files that differ. The same difference on several workers is one entry")
        fields.optional(
            "files_left_out", &filesLeftOut, .count, default: 0, "differences of files that are not listed")
        fields.required("services", &services, "what the health checks of jobs say")
        fields.optional("services_problem", &servicesProblem, "why health checks could not be asked at all")
        fields.required("not_compared", &notCompared, "allocations of answering workers that could not be compared")
    }
}

extension DriftReport.UnderWay: Record, FieldValue {
    static let title = "under_way"
    static let meaning = "A run that has not ended, or a command that holds the bucket."
    static let blank = DriftReport.UnderWay(run: nil, state: nil, isAtWork: false)

    mutating func visit(_ fields: inout some Fields) {
        var number = run?.number
        fields.optional("run", &number, .integer(1...Int.max), "the number of the run")
        run = number.map { RunID($0) }
        fields.optional("state", &state, "where the run stands")
        fields.required("at_work", &isAtWork, "whether a command holds the bucket now")
    }
}

extension DriftReport.WorkerNote: Record, FieldValue {
    static let title = "worker_note"
    static let meaning = "A worker, and what there is to say of it."
    static let blank = DriftReport.WorkerNote(.blank, "")

    mutating func visit(_ fields: inout some Fields) {
        fields.required("worker", &worker, "the worker")
        fields.required("text", &text, .text(.any), "for people")
    }
}

extension DriftReport.NotCompared: Record, FieldValue {
    static let title = "not_compared"
    static let meaning = "An allocation that could not be compared."
    static let blank = DriftReport.NotCompared(AllocationID(job: .blank, worker: .blank), .lost)

    mutating func visit(_ fields: inout some Fields) {
        allocation.visit(&fields)
        fields.required(
            "why", &obstacle,
            "a run has changed it meanwhile; the bucket's store has lost what was promoted; or the worker cannot tell")
        fields.optional("detail", &detail, .text(.any), default: "", "for people")
    }
}

extension DriftReport.Difference: Record, FieldValue {
    static let title = "difference"
    static let meaning = "An allocation that differs."
    static let blank = DriftReport.Difference(AllocationID(job: .blank, worker: .blank))

    mutating func visit(_ fields: inout some Fields) {
        allocation.visit(&fields)
        fields.required(
            "what", &kinds,
            "`files`: deployed files differ. `version`: `manifest.json` on the worker has another version. `unfinished`: "
                + "something was begun and neither promoted nor stopped. `gone`: nothing of the job is there. `unexpected`: "
                + "the job is there, although it was removed or given up, or nothing is recorded of it")
        fields.optional("promoted", &promoted, .text(.any), "the version that was promoted")
        fields.optional("unfinished", &unfinished, .text(.any), "the version that was begun and not promoted")
        fields.optional("found", &found, .text(.any), "the version on the worker, if it is another one")
        fields.optional("paths", &paths, .count, default: 0, "how many paths differ")
    }
}

extension AllocationID {
    fileprivate mutating func visit(_ fields: inout some Fields) {
        var (job, worker) = (job, worker)
        fields.required("job", &job, "the job")
        fields.required("worker", &worker, "the worker")
        self = AllocationID(job: job, worker: worker)
    }
}

extension DriftReport.File: Record, FieldValue {
    static let title = "file"
    static let meaning = "A path that differs in the same way on some workers."
    static let blank = DriftReport.File(.blank, path: "", .changed)

    mutating func visit(_ fields: inout some Fields) {
        fields.required("job", &job, "the job")
        fields.required("path", &path, .text(.path), "relative to the job's folder")
        fields.required(
            "change", &change,
            "`changed`: it has other bytes. `missing`: it is gone. `extra`: an earlier push has left it. `replaced`: "
                + "something else stands there")
        fields.optional("thing", &thing, "what is on the worker")
        fields.flag("secrets", &isSealed, "the file has values of secrets; its bytes and digests are not told")
        fields.optional("expected", &expected, "the digest of what was promoted; of a link, of its text")
        fields.optional("expected_size", &expectedSize, .count, "in bytes")
        fields.optional("found", &found, "the digest of what is on the worker; of a link, of its text")
        fields.optional("found_size", &foundSize, .count, "in bytes")
        fields.required("workers", &workers, "where it differs in this way")
        fields.optional(
            "diff", &diff, ListType(element: TextType(.any)), default: [], "the lines of a unified diff")
        fields.optional(
            "diff_lines_left_out", &diffLeftOut, .count, default: 0, "lines of the diff that are not shown")
        fields.optional("diff_note", &note, .text(.any), "why there is no diff")
    }
}

extension DriftReport.Service: Record, FieldValue {
    static let title = "service"
    static let meaning = "What the health check of a job says."
    static let blank = DriftReport.Service(.blank, version: "", allocations: 0)

    mutating func visit(_ fields: inout some Fields) {
        fields.required("job", &job, "the job")
        fields.required("version", &version, .text(.any), "what was promoted; several with commas between them")
        fields.required("allocations", &allocations, .count, "how many run on workers that answer")
        fields.required(
            "state", &state,
            "`unchecked`: the job has no health check. `unasked`: it has only hooks, or there is no worker on which it can be "
                + "asked")
        fields.optional("failing", &failing, default: [], "those that do not pass, and why")
        fields.flag("skips_hooks", &skipsHooks, "hooks of the check were not run")
        fields.optional(
            "unasked", &unasked, default: [],
            "where it was not asked: it runs a command, and this release has never been on the worker")
    }
}
