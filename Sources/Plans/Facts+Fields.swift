internal import Model
internal import YAML

extension Facts: Record, FieldValue {
    static let title = "facts"
    static let meaning = "Values for hooks; only if the plan has hooks."
    static let style = Emitter.Style.block
    static let blank = Facts()

    mutating func visit(_ fields: inout some Fields) {
        fields.required("variables", &variables, TextMapType(key: "key"), "the keys of `bucket.conf`")
        fields.required("workers", &workers, "the workers of `workers.json`")
        fields.required("jobs", &jobs, "the jobs of the workspace")
    }

    func check(_ report: RecordReport) {
        if Set(workers.map(\.worker)).count < workers.count {
            report.error("workers", "a worker is listed twice in the facts")
        }
        if Set(jobs.map(\.job)).count < jobs.count { report.error("jobs", "a job is listed twice in the facts") }
    }
}

extension Facts.Worker: Record, FieldValue {
    static let title = "fact_worker"
    static let meaning = "What hooks get to know of a worker."
    static var blank: Facts.Worker { Facts.Worker(worker: .blank, labels: []) }

    mutating func visit(_ fields: inout some Fields) {
        fields.required("worker", &worker, "the name")
        fields.optional("hostname", &hostname, TextType(.any), "the host's name, if it is not the worker's")
        fields.required("labels", &labels, ListType(element: TextType(.any)), "labels, sorted")
        fields.optional("memory", &memory, TextType(.any), "megabytes")
        fields.optional("cpu", &cpu, TextType(.any), "megahertz")
        fields.optional("tags", &tags, TextMapType(key: "name of a tag"), default: [:], "all tags")
        fields.optional("id", &givenID, TextType(.any), "its id, if it does not follow from the name")
    }
}

extension Facts.Job: Record, FieldValue {
    static let title = "fact_job"
    static let meaning = "What hooks get to know of a job."
    static var blank: Facts.Job { Facts.Job(job: .blank, selectors: []) }

    mutating func visit(_ fields: inout some Fields) {
        fields.required("job", &job, "the name")
        fields.optional("version", &version, .text(.version), "the version")
        fields.required(
            "selectors", &selectors, ListType(element: TextType(.any)), "labels that a worker needs for the job")
        fields.optional("disabled", &disabled, default: [], "workers on which the job is disabled")
        fields.optional("memory", &memory, default: .init(), "megabytes")
        fields.optional("cpu", &cpu, default: .init(), "megahertz")
        fields.optional(
            "ports", &ports, MapType(element: .integer(Plan.portRange), key: "name of a port"), default: [],
            "the job's ports")
        fields.optional(
            "settings", &settings, TextMapType(key: "key"), default: [:], "the job's section of `bucket.jobs.conf`")
        fields.optional("variables", &variables, TextMapType(key: "key"), default: [:], "the job's `vars.toml`")
        fields.optional("demands", &demands, default: [], "the demands of its manifest")
        fields.optional("certificates", &certificates, default: [], "certificates of which each worker has its own")
        fields.optional("shared_certificates", &sharedCertificates, default: [], "certificates that all workers share")
    }
}

extension Facts.Amount: Record, FieldValue {
    static let title = "amount"
    static let meaning = "What a job reserves on each of its workers."
    static let blank = Facts.Amount()

    mutating func visit(_ fields: inout some Fields) {
        fields.required("reserved", &reserved, TextType(.any), "the amount that is reserved")
        fields.required("min", &minimum, TextType(.any), "`min` of the manifest")
        fields.required("max", &maximum, TextType(.any), "`max` of the manifest")
    }
}

extension Facts.Demand: Record, FieldValue {
    static let title = "demand"
    static let meaning = "A command of the job that demands a command of another job."
    static var blank: Facts.Demand { Facts.Demand(command: "", upstream: .blank, upstreamCommand: "", config: "") }

    mutating func visit(_ fields: inout some Fields) {
        fields.required("command", &command, TextType(.any), "the command")
        fields.required("job", &upstream, "the demanded job")
        fields.required("of", &upstreamCommand, TextType(.any), "the demanded command of that job")
        fields.required("config", &config, TextType(.any), "its `config`, as JSON text")
    }
}
