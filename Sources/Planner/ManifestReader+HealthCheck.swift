internal import Model
internal import Plans
internal import YAML

/// The block `health_check` of a manifest.
extension ManifestReader {
    /// - Parameter ports: the names of the job's ports.
    func healthCheck(_ node: Node, ports: Set<String>) -> Manifest.HealthCheckTemplate? {
        guard var map = reader.mapping(node) else { return nil }
        var health = Manifest.HealthCheckTemplate()
        // Without any, only hooks are asked; `wait` says how often.
        if let node = map.optional("checks"), let nodes = reader.sequence(node) {
            health.checks = nodes.compactMap { check($0, ports: ports) }
        }
        if let value = map.optional("timeout_seconds").flatMap({ chosen($0, HealthCheck.timeoutRange) }) {
            health.timeoutSeconds = value
        }
        if let node = map.optional("wait"), var wait = reader.mapping(node) {
            if let value = wait.optional("attempts").flatMap({ chosen($0, HealthCheck.attemptRange) }) {
                health.attempts = value
            }
            if let value = wait.optional("interval_seconds").flatMap({ chosen($0, HealthCheck.intervalRange) }) {
                health.intervalSeconds = value
            }
            if let value = wait.optional("initial_delay_seconds").flatMap({ integer($0, HealthCheck.delayRange) }) {
                health.initialDelaySeconds = value
            }
            if let value = wait.optional("successes").flatMap({ integer($0, HealthCheck.successRange) }) {
                health.successes = value
            }
            wait.finish()
        }
        map.finish()
        return health
    }

    /// In Maand 0 stands for the default.
    private func chosen(_ node: Node, _ range: ClosedRange<Int>) -> Int? {
        node.text == "0" && node.kind == .number && !range.contains(0) ? nil : integer(node, range)
    }

    private func check(_ node: Node, ports: Set<String>) -> Manifest.HealthCheckTemplate.Check? {
        guard var map = reader.mapping(node), let typeNode = map.required("type"),
            let type = reader.string(typeNode)
        else { return nil }
        defer { map.finish() }
        switch HealthCheck.Check.Kind(rawValue: type.lowercased()) {
        case .tcp: return map.required("port").flatMap { port($0, ports) }.map { .init(check: .tcp(port: 0), port: $0) }
        case .http:
            let port = map.required("port").flatMap { self.port($0, ports) }
            let path = map.optional("path").map { self.path($0) } ?? "/"
            let status = map.optional("expect_status").map { integer($0, HealthCheck.statusRange) } ?? 200
            if let node = map.optional("scheme"), let scheme = reader.string(node), scheme != "http" {
                reader.error(node, "job \(job): a check of the type http speaks `http` and not \"\(scheme)\"")
            }
            guard let port, let path, let status else { return nil }
            return .init(check: .http(port: 0, path: path, expectStatus: status), port: port)
        case .ssh:
            guard let node = map.required("command"), let command = reader.string(node) else { return nil }
            if command.isEmpty || command.utf8.contains(0) {
                reader.error(node, "job \(job): the command of a check may not be empty or contain NUL")
            }
            return .init(check: .ssh(command: command))
        case nil:
            reader.error(
                typeNode, "job \(job): a check has the type tcp, http or ssh, and not \"\(type)\"",
                note: nearest(type, HealthCheck.Check.Kind.allCases.map(\.rawValue)))
            return nil
        }
    }

    private func path(_ node: Node) -> String? {
        guard let text = reader.string(node) else { return nil }
        // Anything else would need escaping in the request line, and it should be the manifest that shows how.
        guard text.hasPrefix("/"), text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            reader.error(node, "job \(job): a path begins with `/` and has no spaces and only ASCII characters")
            return nil
        }
        return text
    }

    private func port(_ node: Node, _ ports: Set<String>) -> Manifest.HealthCheckTemplate.PortReference? {
        if node.kind == .number { return integer(node, Plan.portRange).map { .number($0) } }
        guard let name = reader.string(node) else { return nil }
        guard ports.contains(name) else {
            reader.error(
                node, "job \(job): resources.ports has no port \"\(name)\"", note: nearest(name, ports.sorted()))
            return nil
        }
        return .name(name)
    }
}
