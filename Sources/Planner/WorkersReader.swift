internal import Model
internal import Plans
internal import YAML

/// Decodes `workers.json`, recording every error.
struct WorkersReader {
    private let reader: Reader

    init(_ reader: Reader) { self.reader = reader }

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
        for node in reader.sequence(reader.root) ?? [] {
            guard let (worker, nameNode, position) = worker(node) else { continue }
            if let first = seen[worker.name] {
                reader.error(
                    nameNode, "the host \(worker.name) is there twice",
                    note: "the first one is in line \(first.mark.line)")
            } else {
                seen[worker.name] = nameNode
                workers.append((worker, nameNode, position))
            }
        }
        return workers
    }

    private func worker(_ node: Node) -> (Workspace.Worker, Node, position: Int?)? {
        guard var map = reader.mapping(node) else { return nil }
        let host = map.required("host")
        let name = host.flatMap { node -> WorkerName? in
            guard let text = reader.string(node)?.trimmingWhitespace else { return nil }
            if let name = WorkerName(text) { return name }
            reader.error(
                node, "\"\(text)\" cannot be the name of a host",
                note: "a name consists of letters, digits and `._:-`, and does not begin with `-`")
            return nil
        }
        let hostnameNode = map.optional("hostname")
        let hostname = hostnameNode.flatMap { reader.string($0)?.trimmingWhitespace }.flatMap { $0.isEmpty ? nil : $0 }
        let port = map.optional("port").flatMap { reader.integer($0, in: Plan.portRange) }
        let user = map.optional("user").flatMap { self.user($0) }
        let labels = map.optional("labels").map { self.labels($0) } ?? []
        let address = map.optional("address").flatMap { self.address($0) }
        let memory = map.optional("memory").flatMap { reader.quantity($0, .memory) }
        let cpu = map.optional("cpu").flatMap { reader.quantity($0, .cpu) }
        let tags = map.optional("tags").map { self.tags($0) } ?? [:]
        let position = map.optional("position").flatMap { reader.integer($0, in: 0...Int.max) }
        map.finish()
        guard let host, let name else { return nil }
        let worker = Workspace.Worker(
            name: name, address: address ?? name.text, hostname: hostname,
            hostnameMark: address == nil ? hostnameNode?.mark : nil, port: port, user: user,
            labels: Set(labels.map(\.foldedLabel)).union(["worker"]), spelledLabels: labels.union(["worker"]),
            memory: memory, cpu: cpu, tags: folded(tags, host), spelledTags: tags)
        return (worker, host, position)
    }

    private func address(_ node: Node) -> String? {
        guard let text = reader.string(node) else { return nil }
        guard WorkerName(text) != nil else {
            reader.error(node, "\"\(text)\" is not an address", note: "an IP address or the name of a host")
            return nil
        }
        return text
    }

    private func user(_ node: Node) -> String? {
        let text = reader.string(node)
        if text?.isEmpty == true { reader.error(node, "a user may not be empty", note: "the account on the worker") }
        return text
    }

    private func labels(_ node: Node) -> Set<String> {
        var labels = Set<String>()
        for node in reader.sequence(node) ?? [] {
            guard let text = reader.string(node) else { continue }
            if text.trimmingWhitespace.isEmpty { reader.error(node, "a label may not be empty") }
            if !labels.insert(text).inserted { reader.error(node, "the label \"\(text)\" is there twice") }
        }
        return labels
    }

    private func tags(_ node: Node) -> [String: String] {
        var tags: [String: String] = [:]
        for entry in reader.mapping(node)?.entries ?? [] where !reader.isNull(entry.value) {
            tags[entry.name] = reader.string(entry.value)
        }
        return tags
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
