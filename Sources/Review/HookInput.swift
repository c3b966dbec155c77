internal import Model
internal import Plans

extension Plan {
    /// The values that the plan gives to hooks, one phrase each, in the order of files and names; those of workers.json and
    /// of the manifests are left out, since the plan shows what follows from them. Empty without hooks.
    var hookInput: [Phrase] {
        guard let facts else { return [] }
        var list = Self.values(facts.variables, of: "bucket.conf")
        for job in facts.jobs {
            list += Self.values(job.settings, of: "bucket.jobs.conf [\(job.job)]")
            list += Self.values(job.variables, of: "vars.toml of \(job.job)")
            for demand in job.demands {
                list.append(
                    "demand of \(job.job), \(demand.command), for \(demand.upstream), \(demand.upstreamCommand): "
                        + "\(quoted: demand.config)")
            }
        }
        return list
    }

    private static func values(_ values: [String: String], of source: Phrase) -> [Phrase] {
        values.sorted { $0.key < $1.key }.map { source + ": \($0.key) = \(quoted: $0.value)" }
    }
}
