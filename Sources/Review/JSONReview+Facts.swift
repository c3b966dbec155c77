internal import Plans

extension Facts {
    /// For programs.
    static var table: OutputTable<Facts> {
        OutputTable("facts", "What hooks get to know of the workspace.") { fields in
            fields.required("variables", .texts(by: "key"), "The keys of `bucket.conf`.", \.variables)
            fields.required("workers", .list(of: .object(Worker.table)), "The workers of `workers.json`.", \.workers)
            fields.required("jobs", .list(of: .object(Job.table)), "The jobs of the workspace.", \.jobs)
        }
    }
}

extension Facts.Worker {
    fileprivate static var table: OutputTable<Self> {
        OutputTable("fact_worker", "What hooks get to know of a worker.") { fields in
            fields.required("worker", .name(), "The name.", \.worker)
            fields.nullable("hostname", .text, "The host's name, if it is not the worker's.", \.hostname)
            fields.required("labels", .texts, "Labels, sorted.", \.labels)
            fields.nullable("memory", .text, "Megabytes.", \.memory)
            fields.nullable("cpu", .text, "Megahertz.", \.cpu)
            fields.required("tags", .texts(by: "name of a tag"), "All tags.", \.tags)
        }
    }
}

extension Facts.Job {
    fileprivate static var table: OutputTable<Self> {
        OutputTable("fact_job", "What hooks get to know of a job.") { fields in
            fields.required("job", .name(), "The name.", \.job)
            fields.nullable("version", .text, "The version.", \.version)
            fields.required("selectors", .texts, "Labels that a worker needs for the job.", \.selectors)
            fields.required("disabled", .names(), "Workers on which the job is disabled.", \.disabled)
            fields.required("memory", .object(Facts.Amount.table), "Megabytes.", \.memory)
            fields.required("cpu", .object(Facts.Amount.table), "Megahertz.", \.cpu)
            fields.required(
                "ports", .map("name of a port", to: .integer(Plan.portRange)), "The job's ports.", \.ports)
            fields.required("settings", .texts(by: "key"), "The job's section of `bucket.jobs.conf`.", \.settings)
            fields.required("variables", .texts(by: "key"), "The job's `vars.toml`.", \.variables)
            fields.required(
                "demands", .list(of: .object(Facts.Demand.table)), "The demands of its manifest.", \.demands)
        }
    }
}

extension Facts.Amount {
    fileprivate static var table: OutputTable<Self> {
        OutputTable("amount", "What a job reserves on each of its workers.") { fields in
            fields.required("reserved", .text, "The amount that is reserved.", \.reserved)
            fields.required("min", .text, "`min` of the manifest.", \.minimum)
            fields.required("max", .text, "`max` of the manifest.", \.maximum)
        }
    }
}

extension Facts.Demand {
    fileprivate static var table: OutputTable<Self> {
        OutputTable("demand", "A command of the job that demands a command of another job.") { fields in
            fields.required("command", .text, "The command.", \.command)
            fields.required("job", .name(), "The demanded job.", \.upstream)
            fields.required("of", .text, "The demanded command of that job.", \.upstreamCommand)
            fields.required("config", .text, "Its `config`, as JSON text.", \.config)
        }
    }
}
