internal import JobFiles
internal import Model
internal import Plans
internal import YAML

/// Decodes a `manifest.json`, recording every error.
///
/// Fields and their defaults are Maand's; see its manifest reference. `timeouts`, `repeatable`, `changed_by_service`,
/// `file_modes`, `ca` and `after` are ours.
struct ManifestReader {
    let reader: Reader
    let job: JobName

    init(_ reader: Reader, job: JobName) {
        self.reader = reader
        self.job = job
    }

    /// The manifest as far as it could be read; whether that is all of it, `reader` knows.
    func manifest() -> Manifest {
        var manifest = Manifest()
        guard var map = reader.mapping(reader.root) else { return manifest }
        manifest.version = map.optional("version").flatMap { version($0) }
        if let labels = map.optional("selectors").flatMap({ strings($0, "a label") }), !labels.isEmpty {
            manifest.selectors = labels.map(\.foldedLabel)
            manifest.spelledSelectors = labels
        } else {
            manifest.selectors = [job.text.foldedLabel]
            manifest.spelledSelectors = [job.text]
        }
        readUpdates(&map, into: &manifest)
        if let node = map.optional("min_allocations_count"), let count = integer(node, 0...1_000_000) {
            manifest.minimumAllocations = count
            manifest.minimumNode = node
        }
        if let node = map.optional("resources") { readResources(node, into: &manifest) }
        readCommands(&map, into: &manifest)
        if let node = map.optional("after"), !reader.isNull(node) { manifest.after = predecessors(node) }
        if let node = map.optional("health_check"), !reader.isNull(node) {
            manifest.healthCheckNode = node
            manifest.healthCheck = healthCheck(node, ports: Set(manifest.ports.map(\.name)))
        }
        if let node = map.optional("timeouts") { manifest.timeouts = timeouts(node) }
        if let node = map.optional("repeatable") { readRepeatable(node, into: &manifest) }
        if let node = map.optional("changed_by_service") {
            manifest.changedByService = globs(node, reader.sequence(node) ?? [], of: "changed_by_service")
        }
        if let node = map.optional(FileModes.field) { manifest.fileModes = FileModes(node, reader, job: job) }
        if let node = map.optional("certs") { manifest.certificates = certificates(node) }
        if let node = map.optional("ca") { manifest.wantsAuthorities = reader.boolean(node) ?? false }
        map.finish()
        if let node = manifest.newHostsNode, manifest.newHosts != .with,
            manifest.commands.contains(where: { $0.events.contains(.jobControl) })
        {
            reader.warn(
                node,
                "job \(job): new_hosts has no effect, since a command of job_control rolls the job out: its new allocations are "
                    + "among the others")
        }
        return manifest
    }

    func version(_ node: Node) -> Version? {
        guard let text = reader.string(node) else { return nil }
        if text.trimmingWhitespace.isEmpty { return nil }
        guard let version = Version(text.trimmingWhitespace) else {
            reader.error(
                node, "job \(job): \"\(text)\" is not a version",
                note: "one to three numbers, such as \"1.4.0\", \"v2.1\" or \"2.0.0-rc1\"; " + Version.characters)
            return nil
        }
        return version
    }

    // MARK: Rollout

    private func readUpdates(_ map: inout MappingReader, into manifest: inout Manifest) {
        if let count = renamed(&map, "max_concurrent_starts", old: "deploy_parallel_count") {
            manifest.maximumStarts = count
        }
        let upgrades = renamed(&map, "max_concurrent_upgrades", old: "update_parallel_count")
        if let upgrades { manifest.maximumUpgrades = max(upgrades, 1) }
        if let node = map.optional("rollout") { readRollout(node, hasSize: upgrades != nil, into: &manifest) }
        if let node = map.optional("restart_policy"), let text = reader.string(node) {
            if let policy = Manifest.RestartPolicy(rawValue: text) {
                manifest.restartPolicy = policy
            } else if !text.isEmpty {
                reader.error(
                    node, "job \(job): restart_policy has to be one of always, reload, never, and is \"\(text)\"",
                    note: nearest(text, Manifest.RestartPolicy.allCases.map(\.rawValue)))
            }
        }
        if let node = map.optional("restart_globs"), let nodes = reader.sequence(node) {
            manifest.restartGlobs = globs(node, nodes, of: "restart_globs")
            if manifest.restartPolicy != .reload, !nodes.isEmpty {
                reader.error(
                    node, "job \(job): restart_globs needs `\"restart_policy\": \"reload\"`",
                    note: "with the policy `\(manifest.restartPolicy.rawValue)` no glob has any effect")
            }
        }
    }

    /// The block `rollout`, which goes beyond Maand.
    private func readRollout(_ node: Node, hasSize: Bool, into manifest: inout Manifest) {
        guard var map = reader.mapping(node) else { return }
        if let node = map.optional("batches"), let nodes = reader.sequence(node) {
            if nodes.isEmpty { reader.error(node, "job \(job): rollout.batches has no size") }
            if hasSize {
                reader.error(
                    node, "job \(job): rollout.batches and max_concurrent_upgrades both give a size",
                    note: "remove max_concurrent_upgrades")
            }
            manifest.batches = nodes.compactMap(batchSize)
        }
        if let node = map.optional("spread"), let tag = reader.string(node) {
            if tag.isEmpty { reader.error(node, "job \(job): rollout.spread names a tag of the workers") }
            manifest.spread = tag.foldedLabel
            manifest.spreadNode = node
        }
        if let node = map.optional("new_hosts"), let text = reader.string(node) {
            if let value = Manifest.NewHosts(rawValue: text) {
                (manifest.newHosts, manifest.newHostsNode) = (value, node)
            } else {
                reader.error(
                    node, "job \(job): rollout.new_hosts has to be one of first, with, last, and is \"\(text)\"",
                    note: nearest(text, Manifest.NewHosts.allCases.map(\.rawValue)))
            }
        }
        if let value = map.optional("bake_seconds").flatMap({ integer($0, Plan.Batching.bakeRange) }) {
            manifest.bakeSeconds = value
        }
        if let value = map.optional("max_failures").flatMap({ integer($0, Plan.Batching.failureRange) }) {
            manifest.maxFailures = value
        }
        if let node = map.optional("max_unreachable"),
            let value = hostCount(
                node, Plan.Batching.unreachableRange,
                "rollout.max_unreachable is a number of hosts, or a share of them such as \"2%\"")
        {
            manifest.maxUnreachable = value
        }
        if let node = map.optional("max_unavailable") {
            manifest.maxUnavailable = hostCount(
                node, Plan.Batching.unreachableRange,
                "rollout.max_unavailable is a number of hosts, or a share of them such as \"25%\"")
        }
        map.finish()
    }

    private func batchSize(_ node: Node) -> HostCount? {
        let size = hostCount(node, 1...1_000_000, "a batch is a number of hosts, or a share of them such as \"25%\"")
        guard size != .percent(0) else {
            reader.error(
                node, "job \(job): a batch is a number of hosts, or a share of them such as \"25%\", and 0% is none")
            return nil
        }
        return size
    }

    /// A number, or a share as text.
    private func hostCount(_ node: Node, _ range: ClosedRange<Int>, _ rule: String) -> HostCount? {
        if node.kind == .number { return integer(node, range).map { .hosts($0) } }
        if node.kind == .text, let text = node.text, text.hasSuffix("%"), let count = HostCount(text) { return count }
        reader.error(node, "job \(job): \(rule)")
        return nil
    }

    /// A count that older bundles have under another key.
    private func renamed(_ map: inout MappingReader, _ name: String, old: String) -> Int? {
        let count = map.optional(name).flatMap { integer($0, 0...1_000_000) }
        guard let node = map.optional(old) else { return count }
        reader.warn(node, "job \(job): `\(old)` is now called `\(name)`")
        if count != nil {
            reader.error(node, "job \(job): `\(old)` and `\(name)` are the same setting", note: "remove `\(old)`")
        }
        return integer(node, 0...1_000_000)
    }

    /// Each is compared with each file of the job.
    private static let globLimit = (count: 256, bytes: 512)

    private func globs(_ node: Node, _ nodes: [Node], of field: String) -> [Glob] {
        if nodes.count > Self.globLimit.count {
            reader.error(
                node, "job \(job): \(field) has more than \(Self.globLimit.count) globs",
                note: "`*` and `**` stand for many paths")
            return []
        }
        return nodes.compactMap { glob($0, of: field) }
    }

    private func glob(_ node: Node, of field: String) -> Glob? {
        guard let text = reader.string(node) else { return nil }
        guard text.utf8.count <= Self.globLimit.bytes else {
            reader.error(node, "job \(job): a glob of \(field) is longer than \(Self.globLimit.bytes) bytes")
            return nil
        }
        do throws(Glob.Problem) {
            return try Glob(text)
        } catch {
            reader.error(node, "job \(job): \(field): \(error.message)")
            return nil
        }
    }

    private func timeouts(_ node: Node) -> Plan.Timeouts {
        var timeouts = Plan.Timeouts()
        guard var map = reader.mapping(node) else { return timeouts }
        if let value = map.optional("action").flatMap({ integer($0, Plan.Timeouts.range) }) { timeouts.action = value }
        if let value = map.optional("hook").flatMap({ integer($0, Plan.Timeouts.range) }) { timeouts.hook = value }
        if let value = map.optional("push").flatMap({ integer($0, Plan.Timeouts.range) }) { timeouts.push = value }
        map.finish()
        return timeouts
    }

    /// Targets and commands that may be run again if the outcome is unknown.
    private func readRepeatable(_ node: Node, into manifest: inout Manifest) {
        var found = Set<LifecycleAction>()
        for node in reader.sequence(node) ?? [] {
            guard let text = reader.string(node) else { continue }
            if let action = LifecycleAction(rawValue: text), action.target != nil {
                found.insert(action)
            } else if let index = manifest.commands.firstIndex(where: { $0.name == text }) {
                manifest.commands[index].isRepeatable = true
            } else {
                reader.error(
                    node, "job \(job): repeatable names targets (start, restart, reload, stop) and commands of the job",
                    note: nearest(text, manifest.commands.map(\.name)))
            }
        }
        manifest.repeatable = LifecycleAction.allCases.filter(found.contains)
    }

    // MARK: Resources

    private func readResources(_ node: Node, into manifest: inout Manifest) {
        guard var map = reader.mapping(node) else { return }
        if let node = map.optional("memory") { manifest.memory = bounds(node, .memory) }
        if let node = map.optional("cpu") { manifest.cpu = bounds(node, .cpu) }
        if let node = map.optional("ports") { manifest.ports = ports(node) }
        map.finish()
    }

    private func bounds(_ node: Node, _ unit: Quantity.Unit) -> Manifest.Bounds {
        var bounds = Manifest.Bounds()
        guard var map = reader.mapping(node) else { return bounds }
        bounds.minimum = map.optional("min").flatMap { reader.quantity($0, unit) } ?? .zero
        bounds.maximum = map.optional("max").flatMap { reader.quantity($0, unit) } ?? .zero
        map.finish()
        if bounds.maximum == .zero { bounds.maximum = bounds.minimum }
        if bounds.minimum > bounds.maximum {
            reader.error(
                node,
                "job \(job): resources.\(unit.field) has a min of \(bounds.minimum.text(unit)) above its max of "
                    + bounds.maximum.text(unit))
        }
        return bounds
    }

    private func ports(_ node: Node) -> [Manifest.Port] {
        var ports: [Manifest.Port] = []
        for entry in reader.mapping(node)?.entries ?? [] {
            let isName =
                entry.name.utf8.first.map { (97...122).contains($0) } == true && entry.name.utf8.count <= 128
                && entry.name.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 0x5f }
            if !isName {
                reader.error(
                    entry.key, "job \(job): the name of a port consists of lower-case letters, digits and `_`")
            }
            if ["jobs", "activejobs", "active_jobs", "bucket_id"].contains(entry.name) {
                reader.error(
                    entry.key,
                    "job \(job): a port cannot be called \(entry.name): `maand/bucket` has a key of this name")
            }
            let number: Int?
            switch entry.value.value {
            case .mapping(let fields):
                number = nil
                if let field = fields.first {
                    reader.error(field.key, "job \(job): a port is a number, or {} to have one assigned")
                }
            case .scalar, .sequence:
                guard let fixed = integer(entry.value, Plan.portRange) else { continue }
                number = fixed
            }
            ports.append(Manifest.Port(name: entry.name, number: number, node: entry.value))
        }
        return ports.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    // MARK: Pieces

    func integer(_ node: Node, _ range: ClosedRange<Int>) -> Int? { reader.integer(node, in: range) }

    private func strings(_ node: Node, _ what: String) -> [String]? {
        reader.sequence(node)?.compactMap { node in
            guard let text = reader.string(node) else { return nil }
            if text.trimmingWhitespace.isEmpty { reader.error(node, "job \(job): \(what) may not be empty") }
            return text
        }
    }

    func nearest(_ text: String, _ known: [String]) -> String? {
        Suggestion.nearest(to: text, among: known).map { "did you mean \"\($0)\"?" }
    }
}
