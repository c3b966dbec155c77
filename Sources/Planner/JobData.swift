internal import JobFiles
public import Model
internal import Plans
public import YAML

/// What a workspace says of a job for its hooks and templates.
struct JobData: Sendable {
    /// The job's `vars.toml`.
    var variables: [String: String] = [:]
    /// The job's `vars.conf`, and its section of `bucket.jobs.conf`, which comes first.
    var settings: [String: String] = [:]
    /// Reserved on each of its workers.
    var memory = Quantity.zero
    var cpu = Quantity.zero
}

/// The file `vars.toml` of a job: variables that are kept with its code.
public enum JobVariables {
    static let file = "vars.toml"

    static func read(_ workspace: String, _ job: JobName, into findings: inout Findings) -> [String: String] {
        read(file, workspace, job, into: &findings)
    }

    /// `vars.conf` of the second generation of Maand: settings of the job that its environment may replace.
    static func readSettings(_ workspace: String, _ job: JobName, into findings: inout Findings) -> [String: String] {
        read("vars.conf", workspace, job, into: &findings)
    }

    private static func read(
        _ file: String, _ workspace: String, _ job: JobName, into findings: inout Findings
    ) -> [String: String] {
        let path = "\(workspace)/jobs/\(job)/\(file)"
        do throws(Files.Problem) {
            let bytes = try Files(below: workspace).read(
                "jobs/\(job)/\(file)", limit: InputLimits.standard.bytes)
            do throws(InputFailure) {
                var reader = try TOMLReader(bytes, file: path)
                let variables = reader.variables()
                try reader.finish()
                return variables
            } catch {
                findings.add(error)
            }
        } catch {
            if !error.isMissing { findings.error(path, error.message) }
        }
        return [:]
    }
}

extension TOMLReader {
    /// Every key with its value as a text.
    mutating func variables() -> [String: String] {
        var variables: [String: String] = [:]
        for key in keys {
            guard let value = variable(key) else { continue }
            if let problem = KeyValue.problem(ofKey: key) { error(key, "as the name of a variable \(problem)") }
            if !value.isEmpty, let problem = KeyValue.problem(ofValue: value) { error(key, problem) }
            variables[key] = value
        }
        return variables
    }
}

extension Workspace.Job {
    /// The order that somebody has chosen for the job's rollouts; what stands with its code comes first.
    func rolloutOrder(_ record: JobRecord) -> String? {
        data.variables[KeyValue.rolloutOrder] ?? record.variables[KeyValue.rolloutOrder]
    }

    /// Says that the chosen order is not followed.
    func warning(_ stale: RolloutOrder.Stale, _ workspace: Workspace) -> Diagnostic {
        let isInFile = data.variables[KeyValue.rolloutOrder] != nil
        let namespace = KVNamespace.variables(name).text
        return Diagnostic(
            .warning, file: isInFile ? "\(workspace.folder)/jobs/\(name)/\(JobVariables.file)" : namespace,
            message: "job \(name): `\(KeyValue.rolloutOrder)` \(stale), so the order of workers.json is used",
            note: isInFile
                ? "name every active worker of the job once"
                : "`maand-plan kv put \(namespace) \(KeyValue.rolloutOrder) …` sets it, `kv delete` removes it")
    }
}

extension JobVariables {
    /// What a job's `vars.toml` says; nothing where there is no such file.
    public static func values(of job: JobName, in workspace: String) throws(InputFailure) -> [String: String] {
        var findings = Findings()
        let variables = read(workspace, job, into: &findings)
        try findings.check()
        return variables
    }
}
