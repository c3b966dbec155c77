internal import YAML

extension Facts {
    /// The plan's block `facts`.
    func emit(into out: inout Emitter) {
        out.mapping("facts") { out in
            Self.emit("variables", variables, into: &out)
            out.sequence("workers") { out in for worker in workers { out.mappingItem(.flow, worker.emitFields) } }
            out.sequence("jobs") { out in for job in jobs { out.mappingItem(.flow, job.emitFields) } }
        }
    }

    static func emit(_ name: String, _ values: [String: String], into out: inout Emitter) {
        out.mapping(name, .flow) { out in
            let sorted = values.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            for (key, value) in sorted { out.field(key, .string(value)) }
        }
    }
}

extension Facts.Worker {
    fileprivate func emitFields(into out: inout Emitter) {
        out.field("worker", .string(worker.text))
        if let hostname { out.field("hostname", .string(hostname)) }
        out.sequence("labels", .flow) { out in for label in labels { out.item(.string(label)) } }
        if let memory { out.field("memory", .string(memory)) }
        if let cpu { out.field("cpu", .string(cpu)) }
        if !tags.isEmpty { Facts.emit("tags", tags, into: &out) }
    }
}

extension Facts.Job {
    fileprivate func emitFields(into out: inout Emitter) {
        out.field("job", .string(job.text))
        if let version { out.field("version", .string(version)) }
        out.sequence("selectors", .flow) { out in for label in selectors { out.item(.string(label)) } }
        if !disabled.isEmpty {
            out.sequence("disabled", .flow) { out in for worker in disabled { out.item(.string(worker.text)) } }
        }
        for (name, amount) in [("memory", memory), ("cpu", cpu)] where amount != .init() {
            out.mapping(name, .flow) { out in
                out.field("reserved", .string(amount.reserved))
                out.field("min", .string(amount.minimum))
                out.field("max", .string(amount.maximum))
            }
        }
        if !ports.isEmpty {
            out.mapping("ports", .flow) { out in for port in ports { out.field(port.name, .int(port.value)) } }
        }
        if !settings.isEmpty { Facts.emit("settings", settings, into: &out) }
        if !variables.isEmpty { Facts.emit("variables", variables, into: &out) }
        if !demands.isEmpty {
            out.sequence("demands", .flow) { out in
                for demand in demands {
                    out.mappingItem(.flow) { out in
                        out.field("command", .string(demand.command))
                        out.field("job", .string(demand.upstream.text))
                        out.field("of", .string(demand.upstreamCommand))
                        out.field("config", .string(demand.config))
                    }
                }
            }
        }
    }
}

/// Reads the plan's block `facts`, recording every error.
struct FactsReader: NodeReading {
    let reader: Reader

    init(_ reader: Reader) { self.reader = reader }

    func facts(_ node: Node) -> Facts? {
        guard var map = reader.mapping(node) else { return nil }
        let variables = map.required("variables").map(texts)
        let workers = map.required("workers").flatMap { list($0, worker) }
        let jobs = map.required("jobs").flatMap { list($0, job) }
        map.finish()
        guard let variables, let workers, let jobs else { return nil }
        if Set(workers.map(\.worker)).count < workers.count {
            reader.error(node, "a worker is listed twice in the facts")
        }
        if Set(jobs.map(\.job)).count < jobs.count { reader.error(node, "a job is listed twice in the facts") }
        return Facts(variables: variables, workers: workers, jobs: jobs)
    }

    private func worker(_ node: Node) -> Facts.Worker? {
        guard var map = reader.mapping(node) else { return nil }
        let worker: WorkerName? = name(map.required("worker"))
        let hostname = map.optional("hostname").flatMap(reader.string)
        let labels = map.required("labels").flatMap { list($0, reader.string) }
        let memory = map.optional("memory").flatMap(reader.string)
        let cpu = map.optional("cpu").flatMap(reader.string)
        let tags = map.optional("tags").map(texts) ?? [:]
        map.finish()
        guard let worker, let labels else { return nil }
        return Facts.Worker(
            worker: worker, hostname: hostname, labels: labels, memory: memory, cpu: cpu, tags: tags)
    }

    private func job(_ node: Node) -> Facts.Job? {
        guard var map = reader.mapping(node) else { return nil }
        let job: JobName? = name(map.required("job"))
        let version = map.optional("version").flatMap { self.version($0) }
        let selectors = map.required("selectors").flatMap { list($0, reader.string) }
        let disabled = map.optional("disabled").flatMap { list($0) { name($0) as WorkerName? } } ?? []
        let memory = map.optional("memory").map(amount) ?? .init()
        let cpu = map.optional("cpu").map(amount) ?? .init()
        let ports = map.optional("ports").map(numbers) ?? []
        let settings = map.optional("settings").map(texts) ?? [:]
        let variables = map.optional("variables").map(texts) ?? [:]
        let demands = map.optional("demands").flatMap { list($0, demand) } ?? []
        map.finish()
        guard let job, let selectors else { return nil }
        return Facts.Job(
            job: job, version: version, selectors: selectors, disabled: disabled, memory: memory, cpu: cpu,
            ports: ports, settings: settings, variables: variables, demands: demands)
    }

    private func amount(_ node: Node) -> Facts.Amount {
        guard var map = reader.mapping(node) else { return .init() }
        let values = ["reserved", "min", "max"].map { map.required($0).flatMap(reader.string) ?? "" }
        map.finish()
        return Facts.Amount(reserved: values[0], minimum: values[1], maximum: values[2])
    }

    private func demand(_ node: Node) -> Facts.Demand? {
        guard var map = reader.mapping(node) else { return nil }
        let command = map.required("command").flatMap(reader.string)
        let upstream: JobName? = name(map.required("job"))
        let upstreamCommand = map.required("of").flatMap(reader.string)
        let config = map.required("config").flatMap(reader.string)
        map.finish()
        guard let command, let upstream, let upstreamCommand, let config else { return nil }
        return Facts.Demand(command: command, upstream: upstream, upstreamCommand: upstreamCommand, config: config)
    }

    private func numbers(_ node: Node) -> [Plan.Named<Int>] {
        (reader.mapping(node)?.entries ?? []).compactMap { entry in
            reader.integer(entry.value, in: Plan.portRange).map { Plan.Named(entry.name, $0) }
        }
    }

    private func texts(_ node: Node) -> [String: String] {
        var texts: [String: String] = [:]
        for entry in reader.mapping(node)?.entries ?? [] { texts[entry.name] = reader.string(entry.value) }
        return texts
    }

    private func list<T>(_ node: Node, _ item: (Node) -> T?) -> [T]? {
        reader.sequence(node)?.compactMap(item)
    }
}
