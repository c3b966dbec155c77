internal import Model
internal import Plans
internal import YAML

/// The block `resources` of a manifest.
extension ManifestReader {
    var resources: InputTable<Manifest> {
        InputTable("resources", "What a job reserves on each of its workers, and its ports.", blank: Manifest()) {
            fields in
            fields.optional("memory", \.memory, bounds(.memory), "Such as `{\"min\": \"64 mb\", \"max\": \"1 gb\"}`.")
            fields.optional("cpu", \.cpu, bounds(.cpu), "Such as `{\"min\": \"100 mhz\", \"max\": \"1 ghz\"}`.")
            fields.optional(
                "ports", \.ports, ports,
                """
                Port name → number; or `{}` to get a free number, which the job keeps. A port name has lower-case letters, digits \
                and `_`.
                """)
        }
    }

    private func bounds(_ unit: Quantity.Unit) -> InputType<Manifest.Bounds> {
        let table = InputTable(
            unit.field, "How much \(unit.field) a job reserves.", blank: Manifest.Bounds()
        ) { fields in
            fields.optional("min", \.minimum, .quantity(unit, reader), "The least that may be reserved.")
            fields.optional(
                "max", \.maximum, .quantity(unit, reader),
                "What is reserved if `bucket.jobs.conf` does not say how much. Without it it is `min`.")
        }
        return InputType(.object(table.description)) { node in
            guard var bounds = table.read(node, reader) else { return nil }
            if bounds.maximum == .zero { bounds.maximum = bounds.minimum }
            if bounds.minimum > bounds.maximum {
                reader.error(
                    node,
                    "job \(job): resources.\(unit.field) has a min of \(bounds.minimum.text(unit)) above its max of "
                        + bounds.maximum.text(unit))
            }
            return bounds
        }
    }

    private var ports: InputType<[Manifest.Port]> {
        let port = ValueDescription.either([
            .integer(Plan.portRange),
            ValueDescription("`{}`", [("type", .string("object")), ("maxProperties", .int(0))]),
        ])
        let name = ValueDescription.text("the name of a port", pattern: "^[a-z][a-z0-9_]{0,127}$")
        return InputType(.map("name of a port", keys: name, to: port)) { node in
            (reader.mapping(node)?.entries ?? []).compactMap(self.port)
                .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        }
    }

    private func port(_ entry: Node.Entry) -> Manifest.Port? {
        let isName =
            entry.name.utf8.first.map { (97...122).contains($0) } == true && entry.name.utf8.count <= 128
            && entry.name.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 0x5f }
        if !isName {
            reader.error(entry.key, "job \(job): the name of a port consists of lower-case letters, digits and `_`")
        }
        if ["jobs", "activejobs", "active_jobs", "bucket_id"].contains(entry.name) {
            reader.error(
                entry.key,
                "job \(job): a port cannot be called \(entry.name): `maand/bucket` has a key of this name")
        }
        switch entry.value.value {
        case .mapping(let fields):
            if let field = fields.first {
                reader.error(field.key, "job \(job): a port is a number, or {} to have one assigned")
            }
            return Manifest.Port(name: entry.name, number: nil, node: entry.value)
        case .scalar, .sequence:
            return integer(entry.value, Plan.portRange).map {
                Manifest.Port(name: entry.name, number: $0, node: entry.value)
            }
        }
    }
}
