internal import Model
internal import Plans
internal import YAML

extension Facts {
    /// As the plan file has them.
    var json: JSON {
        .object([
            ("variables", Self.texts(variables)), ("workers", .array(workers.map(\.json))),
            ("jobs", .array(jobs.map(\.json))),
        ])
    }

    static func texts(_ values: [String: String]) -> JSON {
        .object(values.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })
    }

    fileprivate static func names<Kind>(_ names: [Name<Kind>]) -> JSON { .array(names.map { .string($0.text) }) }
}

extension Facts.Worker {
    fileprivate var json: JSON {
        .object([
            ("worker", .string(worker.text)), ("hostname", .optional(hostname)),
            ("labels", .array(labels.map(JSON.string))), ("memory", .optional(memory)), ("cpu", .optional(cpu)),
            ("tags", Facts.texts(tags)),
        ])
    }
}

extension Facts.Job {
    fileprivate var json: JSON {
        .object([
            ("job", .string(job.text)), ("version", .optional(version)),
            ("selectors", .array(selectors.map(JSON.string))), ("disabled", Facts.names(disabled)),
            ("memory", memory.json), ("cpu", cpu.json),
            ("ports", .object(ports.map { ($0.name, .int($0.value)) })), ("settings", Facts.texts(settings)),
            ("variables", Facts.texts(variables)), ("demands", .array(demands.map(\.json))),
        ])
    }
}

extension Facts.Amount {
    fileprivate var json: JSON {
        .object([("reserved", .string(reserved)), ("min", .string(minimum)), ("max", .string(maximum))])
    }
}

extension Facts.Demand {
    fileprivate var json: JSON {
        .object([
            ("command", .string(command)), ("job", .string(upstream.text)), ("of", .string(upstreamCommand)),
            ("config", .string(config)),
        ])
    }
}
