internal import Model
internal import Plans
internal import YAML

/// Decodes `workers.json`, recording every error.
struct WorkersReader {
    private let reader: Reader

    init(_ reader: Reader) { self.reader = reader }

    /// An entry, as far as it could be read.
    struct Entry {
        var name: WorkerName?
        /// Where its name is.
        var host: Node?
        var address: String?
        var hostname: (text: String?, mark: Mark)?
        var port: Int?
        var user: String?
        var labels: Set<String> = []
        var memory: Quantity?
        var cpu: Quantity?
        var tags: [String: String] = [:]
        var position: Int?
    }

    /// The fields of an entry.
    var table: InputTable<Entry> {
        InputTable("worker", "A host.", blank: Entry()) { fields in
            fields.required(
                "host", name,
                "The name of the worker everywhere, once in the file; also its address if `address` is missing."
            ) { worker, name, node in (worker.name, worker.host) = (name, node) }
            fields.optional("address", \.address, address, "The IP address or DNS name for connections.")
            fields.optional(
                "hostname", .text, "A name for hooks and templates; connections do not use it."
            ) { worker, text, node in
                let text = text.trimmingWhitespace
                worker.hostname = (text.isEmpty ? nil : text, node.mark)
            }
            fields.optional(
                "port", \.port, .integer(Plan.portRange), "The ssh port; without it `ssh_port` of `maand.conf`.")
            fields.optional("user", \.user, user, "The ssh user; without it `ssh_user` of `maand.conf`.")
            fields.optional(
                "labels", labels,
                """
                Jobs select workers by these. Blanks at the ends and the case of letters do not count: hooks and templates see \
                them in lower case. Every worker also has the label `worker`.
                """
            ) { worker, labels, _ in worker.labels = labels }
            fields.optional(
                "memory", \.memory, .quantity(.memory, reader), "The amount that jobs may reserve, such as `\"16 gb\"`."
            )
            fields.optional(
                "cpu", \.cpu, .quantity(.cpu, reader), "The amount that jobs may reserve, such as `\"8 ghz\"`.")
            fields.optional(
                "tags", tags,
                """
                Free key-value text, in lower case as labels. Plans show `zone`. [Policies](approvals.md) may ask for more \
                approvals by tag, `rollout` → `spread` uses a tag.
                """
            ) { worker, tags, _ in worker.tags = tags }
            fields.optional(
                "position", \.position, .integer(0...Int.max),
                "Workers are ordered by it; without one, it is the worker's place in the file, from 0 on.")
        }
    }

    /// The workers, each with the place of its name, in the order of their `position`: without one, that is their place in the
    /// file.
    func workers() -> [(worker: Workspace.Worker, node: Node)] {
        let workers = inFile()
        let places = workers.enumerated().map { (place: $0.element.position ?? $0.offset, index: $0.offset) }
        return places.sorted { ($0.place, $0.index) < ($1.place, $1.index) }.map { place in
            (workers[place.index].worker, workers[place.index].node)
        }
    }

    private func inFile() -> [(worker: Workspace.Worker, node: Node, position: Int?)] {
        var workers: [(worker: Workspace.Worker, node: Node, position: Int?)] = []
        var seen: [WorkerName: Node] = [:]
        let table = table
        for node in reader.sequence(reader.root) ?? [] {
            guard let entry = table.read(node, reader), let host = entry.host, let name = entry.name else { continue }
            let worker = worker(name, entry, host)
            if let first = seen[name] {
                reader.error(
                    host, "the host \(name) is there twice", note: "the first one is in line \(first.mark.line)")
            } else {
                seen[name] = host
                workers.append((worker, host, entry.position))
            }
        }
        return workers
    }

    private func worker(_ name: WorkerName, _ entry: Entry, _ host: Node) -> Workspace.Worker {
        Workspace.Worker(
            name: name, address: entry.address ?? name.text, hostname: entry.hostname?.text,
            hostnameMark: entry.address == nil ? entry.hostname?.mark : nil, port: entry.port, user: entry.user,
            labels: Set(entry.labels.map(\.foldedLabel)).union(["worker"]),
            spelledLabels: entry.labels.union(["worker"]), memory: entry.memory, cpu: entry.cpu,
            tags: folded(entry.tags, host), spelledTags: entry.tags)
    }

    // MARK: Types

    private var name: InputType<WorkerName> {
        InputType(.name) { node in
            guard let text = reader.string(node)?.trimmingWhitespace else { return nil }
            if let name = WorkerName(text) { return name }
            reader.error(
                node, "\"\(text)\" cannot be the name of a host",
                note: "a name consists of letters, digits and `._:-`, and does not begin with `-`")
            return nil
        }
    }

    private var address: InputType<String> {
        InputType(.name.called("an address")) { node in
            guard let text = reader.string(node) else { return nil }
            guard WorkerName(text) != nil else {
                reader.error(node, "\"\(text)\" is not an address", note: "an IP address or the name of a host")
                return nil
            }
            return text
        }
    }

    private var user: InputType<String> {
        InputType(.filled("a text")) { node in
            let text = reader.string(node)
            if text?.isEmpty == true {
                reader.error(node, "a user may not be empty", note: "the account on the worker")
            }
            return text
        }
    }

    private var labels: InputType<Set<String>> {
        InputType(.list(of: .visible("a label"), isSet: true)) { node in
            var labels = Set<String>()
            for node in reader.sequence(node) ?? [] {
                guard let text = reader.string(node) else { continue }
                if text.trimmingWhitespace.isEmpty { reader.error(node, "a label may not be empty") }
                if !labels.insert(text).inserted { reader.error(node, "the label \"\(text)\" is there twice") }
            }
            return labels
        }
    }

    private var tags: InputType<[String: String]> {
        InputType(.map("name of a tag", to: .text.orNull)) { node in
            var tags: [String: String] = [:]
            for entry in reader.mapping(node)?.entries ?? [] where !reader.isNull(entry.value) {
                tags[entry.name] = reader.string(entry.value)
            }
            return tags
        }
    }

    private func folded(_ tags: [String: String], _ node: Node) -> [String: String] {
        var folded: [String: String] = [:]
        for (name, value) in tags.sorted(by: { $0.key < $1.key }) {
            if folded.updateValue(value.foldedLabel, forKey: name.foldedLabel) != nil {
                reader.error(node, "the tag \"\(name.foldedLabel)\" is there twice: the case of letters does not count")
            }
        }
        return folded
    }
}
