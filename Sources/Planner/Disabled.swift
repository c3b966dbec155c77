internal import Model
internal import YAML

/// `disabled.json`: what is kept from running for the time being.
struct Disabled {
    private(set) var jobs: [String: Node] = [:]
    private(set) var workers: [String: Node] = [:]
    private(set) var allocations: [String: [String: Node]] = [:]

    /// Nothing is disabled.
    init() {}

    init(_ reader: Reader) {
        guard var map = reader.mapping(reader.root) else { return }
        for entry in map.optional("jobs").flatMap({ reader.mapping($0) })?.entries ?? [] {
            if reader.isNull(entry.value) {
                jobs[entry.name] = entry.key
                continue
            }
            guard var fields = reader.mapping(entry.value) else { continue }
            Self.checkNames(fields.entries.map(\.key), reader)
            // As in Maand, an empty list names the whole job.
            if let node = fields.optional("allocations"), reader.sequence(node)?.isEmpty != true {
                allocations[entry.name] = Self.names(node, reader)
            } else {
                jobs[entry.name] = entry.key
            }
        }
        if let node = map.optional("workers") { workers = Self.names(node, reader) }
        map.finish()
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
