internal import Model
internal import Plans
internal import YAML

/// `disabled.json`: what is kept from running for the time being.
struct Disabled {
    private(set) var jobs: [String: Node] = [:]
    private(set) var workers: [String: Node] = [:]
    private(set) var allocations: [String: [String: Node]] = [:]

    /// Nothing is disabled.
    init() {}

    init(_ reader: Reader) { self = Self.table(reader).read(reader.root, reader) ?? Disabled() }

    /// The fields of the file.
    static func table(_ reader: Reader) -> InputTable<Disabled> {
        let names = InputType(.list(of: .text.called("a worker"), isSet: true)) { Self.names($0, reader) }
        let job = InputTable(
            "disabled_job", "A job that is disabled, or some of its allocations.", blank: [String: Node]()
        ) { fields in
            fields.optional(
                "allocations", names, "Workers on which the job is disabled. Without any it is the whole job."
            ) { allocations, names, _ in allocations = names }
        }
        return InputTable("disabled", "What must not run now.", blank: Disabled()) { fields in
            fields.optional(
                "jobs", jobs(job, reader),
                """
                Job → `{}`, `null` or `{"allocations": []}` for the whole job, or `{"allocations": ["web1"]}` for the job on \
                these workers.
                """
            ) { disabled, found, _ in (disabled.jobs, disabled.allocations) = found }
            fields.optional("workers", names, "Workers on which every job is disabled.") { disabled, names, _ in
                disabled.workers = names
            }
        }
    }

    private typealias Jobs = (jobs: [String: Node], allocations: [String: [String: Node]])

    private static func jobs(_ table: InputTable<[String: Node]>, _ reader: Reader) -> InputType<Jobs> {
        InputType(.map("job", to: .object(table.description).orNull)) { node in
            var found: Jobs = ([:], [:])
            for entry in reader.mapping(node)?.entries ?? [] {
                if reader.isNull(entry.value) {
                    found.jobs[entry.name] = entry.key
                    continue
                }
                guard var fields = reader.mapping(entry.value) else { continue }
                checkNames(fields.entries.map(\.key), reader)
                var workers: [String: Node] = [:]
                table.read(&fields, reader, into: &workers)
                // As in Maand, an empty list names the whole job.
                if workers.isEmpty {
                    found.jobs[entry.name] = entry.key
                } else {
                    found.allocations[entry.name] = workers
                }
            }
            return found
        }
    }

    func contains(job: JobName, worker: WorkerName) -> Bool {
        jobs[job.text] != nil || workers[worker.text] != nil || allocations[job.text]?[worker.text] != nil
    }

    /// A name that nothing has is probably a typing error, or a leftover: either way nothing is disabled by it.
    func warnAboutUnknown(jobs known: Set<String>, workers hosts: Set<String>, in reader: Reader) {
        var found: [(node: Node, what: String, name: String, names: Set<String>)] = []
        for (name, node) in jobs where !known.contains(name) { found.append((node, "job", name, known)) }
        for (name, node) in workers where !hosts.contains(name) { found.append((node, "worker", name, hosts)) }
        for (job, nodes) in allocations {
            for (name, node) in nodes {
                if !known.contains(job) {
                    found.append((node, "job", job, known))
                } else if !hosts.contains(name) {
                    found.append((node, "worker", name, hosts))
                }
            }
        }
        for (node, what, name, names) in found.sorted(by: { $0.node.mark < $1.node.mark }) {
            let nearest = Suggestion.nearest(to: name, among: names.sorted())
            reader.warn(
                node, "there is no \(what) \"\(name)\", so this disables nothing",
                note: nearest.map { "did you mean \"\($0)\"?" })
        }
    }

    /// Maand ignores unknown fields of a job. If one was meant to name the workers, it would disable the job on all of them.
    private static func checkNames(_ keys: [Node], _ reader: Reader) {
        for key in keys {
            guard let name = key.text, name.lowercased() != "allocations" else { continue }
            let message = "unknown field \(VisibleText.quote(name))"
            if Suggestion.nearest(to: name, among: ["allocations", "workers"]) != nil {
                reader.error(key, message, note: "`allocations` is the list of the job's workers")
            } else {
                reader.warn(key, message + ": it means nothing here")
            }
        }
    }

    private static func names(_ node: Node, _ reader: Reader) -> [String: Node] {
        var names: [String: Node] = [:]
        for node in reader.sequence(node) ?? [] {
            guard let text = reader.string(node) else { continue }
            if names.updateValue(node, forKey: text) != nil { reader.error(node, "\"\(text)\" is there twice") }
        }
        return names
    }
}
