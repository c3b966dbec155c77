internal import YAML

extension CatalogSnapshot {
    /// The format that `text` writes.
    static let format = 1

    /// The snapshot in canonical YAML: the same facts give the same bytes, and it holds no times, runs or secrets.
    public var text: [UInt8] {
        var out = Emitter()
        out.field("catalog_format", .int(Self.format))
        out.field("revision", .int(revision))
        out.sequence("allocations") { out in
            for (id, record) in allocations.sorted(by: { $0.key < $1.key }) {
                out.mappingItem(.flow) { out in
                    out.field("job", .string(id.job.text))
                    out.field("worker", .string(id.worker.text))
                    out.field("standing", .string(record.standing.rawValue))
                    for (name, release) in [("promoted", record.promoted), ("unfinished", record.unfinished)] {
                        guard let release else { continue }
                        out.mapping(name, .flow) { out in
                            out.field("version", .string(release.version))
                            out.field("content", .string(release.content.description))
                        }
                    }
                }
            }
        }
        out.sequence("jobs") { out in
            for (name, record) in jobs.sorted(by: { $0.key < $1.key }) {
                out.mappingItem(.flow) { out in
                    out.field("job", .string(name.text))
                    out.field("gate_pending", .bool(record.gatePending))
                    out.field("incomplete", .bool(record.incomplete))
                    out.mapping("assigned_ports", .flow) { out in
                        for (port, number) in record.assignedPorts.sorted(by: { $0.key < $1.key }) {
                            out.field(port, .int(number))
                        }
                    }
                }
            }
        }
        out.sequence("workers") { out in
            for (_, worker) in workers.sorted(by: { $0.key < $1.key }) { worker.emit(into: &out) }
        }
        return out.finish()
    }
}
