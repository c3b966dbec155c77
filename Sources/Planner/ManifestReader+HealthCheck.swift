internal import Model
internal import Plans
internal import YAML

/// The block `health_check` of a manifest.
extension ManifestReader {
    var healthCheck: InputTable<Manifest.HealthCheckTemplate> {
        let wait = wait
        return InputTable(
            "health_check", "What has to hold on every allocation for a gate to pass.", blank: .init()
        ) { fields in
            fields.optional(
                "checks", \.checks, .list(of: check),
                """
                All must pass on every allocation that the gate covers. Without any, gates ask only hooks, as often as `wait` \
                says.
                """)
            fields.optional(
                "timeout_seconds", \.timeoutSeconds, chosen(HealthCheck.timeoutRange),
                "The time limit of one try of one check. 0 stands for the default.")
            fields.inside("wait", wait, "How often a gate tries.")
        }
    }

    private var wait: InputTable<Manifest.HealthCheckTemplate> {
        InputTable("wait", "How often a gate tries.", blank: .init()) { fields in
            fields.optional(
                "attempts", \.attempts, chosen(HealthCheck.attemptRange),
                "How often a gate tries. 0 stands for the default.")
            fields.optional(
                "interval_seconds", \.intervalSeconds, chosen(HealthCheck.intervalRange), "Seconds between tries.")
            fields.optional(
                "initial_delay_seconds", \.initialDelaySeconds, .integer(HealthCheck.delayRange),
                "Seconds before the first try.")
            fields.optional(
                "successes", \.successes, .integer(HealthCheck.successRange),
                "How many tries in a row must pass on every allocation, one interval apart.")
        }
    }

    /// In Maand 0 stands for the default.
    private func chosen(_ range: ClosedRange<Int>) -> InputType<Int> {
        InputType<Int>.integer(min(range.lowerBound, 0)...range.upperBound).reading { node in
            node.text == "0" && node.kind == .number && !range.contains(0) ? nil : integer(node, range)
        }
    }

    // MARK: Checks

    /// What the checks of all kinds have.
    private struct CheckFields {
        var port: Manifest.HealthCheckTemplate.PortReference?
        var path = "/"
        var status = 200
        var command: String?
    }

    private var check: InputType<Manifest.HealthCheckTemplate.Check> {
        let tables = HealthCheck.Check.Kind.allCases.map { (kind: $0, table: fields(of: $0)) }
        return InputType(.either(tables.map { .object($0.table.description) })) { node in
            guard var map = reader.mapping(node), let typeNode = map.required("type"),
                let type = reader.string(typeNode)
            else { return nil }
            defer { map.finish() }
            guard let (kind, table) = tables.first(where: { $0.kind.rawValue == type.lowercased() }) else {
                reader.error(
                    typeNode, "job \(job): a check has the type tcp, http or ssh, and not \"\(type)\"",
                    note: nearest(type, tables.map(\.kind.rawValue)))
                return nil
            }
            var fields = CheckFields()
            table.read(&map, reader, into: &fields)
            switch kind {
            case .tcp: return fields.port.map { .init(check: .tcp(port: 0), port: $0) }
            case .http:
                let check = HealthCheck.Check.http(port: 0, path: fields.path, expectStatus: fields.status)
                return fields.port.map { .init(check: check, port: $0) }
            case .ssh: return fields.command.map { .init(check: .ssh(command: $0)) }
            }
        }
    }

    private func fields(of kind: HealthCheck.Check.Kind) -> InputTable<CheckFields> {
        InputTable("\(kind.rawValue)_check", meaning(of: kind), blank: CheckFields()) { fields in
            fields.constant("type", kind.rawValue, "How the check is made.")
            switch kind {
            case .tcp: addPort(&fields)
            case .http:
                addPort(&fields)
                fields.optional("path", \.path, path, "What is requested.")
                fields.optional(
                    "expect_status", \.status, .integer(HealthCheck.statusRange), "The status of the answer.")
                fields.optional("scheme", scheme, "Only `http`.") { _, _, _ in }
            case .ssh:
                fields.required("command", command, "A command; it has to exit with 0 on the worker.") {
                    check, text, _ in
                    check.command = text
                }
            }
        }
    }

    private func addPort(_ fields: inout InputTable<CheckFields>) {
        fields.required("port", port, "A number, or a name under `ports`.") { check, port, _ in check.port = port }
    }

    private func meaning(of kind: HealthCheck.Check.Kind) -> String {
        switch kind {
        case .tcp: "A connection from the controller is accepted."
        case .http:
            "A GET from the controller is answered with exactly this status. Redirects are not followed."
        case .ssh:
            """
            The command exits with 0 on the worker. It starts in the bucket's folder there, `worker_root/bucket_id`; the job's \
            folder is `jobs/JOB` below it. It gets none of the variables of targets. It also works with workers that are folders.
            """
        }
    }

    private var scheme: InputType<String> {
        InputType(.constant(.string("http"))) { node in
            guard let scheme = reader.string(node) else { return nil }
            if scheme != "http" {
                reader.error(node, "job \(job): a check of the type http speaks `http` and not \"\(scheme)\"")
            }
            return scheme
        }
    }

    private var command: InputType<String> {
        InputType(.filled("a command")) { node in
            guard let command = reader.string(node) else { return nil }
            if command.isEmpty || command.utf8.contains(0) {
                reader.error(node, "job \(job): the command of a check may not be empty or contain NUL")
            }
            return command
        }
    }

    private var path: InputType<String> {
        InputType(.text("a path", pattern: "^/[!-~]*$"), json: JSON.string) { node in
            guard let text = reader.string(node) else { return nil }
            // Anything else would need escaping in the request line, and it should be the manifest that shows how.
            guard text.hasPrefix("/"), text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
                reader.error(node, "job \(job): a path begins with `/` and has no spaces and only ASCII characters")
                return nil
            }
            return text
        }
    }

    private var port: InputType<Manifest.HealthCheckTemplate.PortReference> {
        InputType(.either([.integer(Plan.portRange), .text.called("the name of a port")])) { node in
            if node.kind == .number { return integer(node, Plan.portRange).map { .number($0) } }
            return reader.string(node).map { .name($0, node) }
        }
    }

    /// Ports of checks that have a name are ports of the job.
    func checkPorts(_ health: Manifest.HealthCheckTemplate, of manifest: Manifest) {
        let ports = manifest.ports.map(\.name)
        for case .name(let name, let node) in health.checks.compactMap(\.port) where !ports.contains(name) {
            reader.error(node, "job \(job): resources.ports has no port \"\(name)\"", note: nearest(name, ports))
        }
    }
}
