internal import Model

/// Who gives a key of a namespace its value, for somebody who misses it.
enum KeySetter {
    /// - Parameters:
    ///   - known: the keys that the namespace has.
    ///   - job: the job that asks.
    /// - Returns: a sentence without a full stop; nil if nobody sets such a key.
    static func text(
        of key: String, in namespace: KVNamespace, known: [String], askedBy job: Workspace.Job
    ) -> String? {
        switch namespace {
        case .variables(let owner):
            "vars.toml of the job \(owner) sets it, or `maand-plan kv put \(namespace) \(key) VALUE`"
                + hooks(of: owner, job)
        case .secrets(let owner): "`maand-plan kv put \(namespace) \(key)` sets it" + hooks(of: owner, job)
        case .bucketVariables: "workspace/bucket.conf sets it"
        case .bucketJobVariables(let owner):
            "the section [\(owner)] of workspace/bucket.jobs.conf sets it, or vars.conf of the job"
        case .bucket: "a port with this name in `resources.ports` of a job with active allocations sets it"
        case .tags: "`tags` of the worker in workspace/workers.json set it"
        // The name in the oldest releases of Maand.
        case .job where key == "deploy_order": "it is now called `\(KeyValue.rolloutOrder)`"
        case .workers, .worker, .job, .allocation:
            known.isEmpty ? nil : "its keys follow from the workspace: \(known.listed(first: 24))"
        case .certificates: nil
        }
    }

    /// Which commands of the job that asks may set the key, and how they run before a plan is made.
    private static func hooks(of owner: JobName, _ job: Workspace.Job) -> String {
        guard owner == job.name else { return ", or a hook of the job \(owner)" }
        func first(_ event: Manifest.Event) -> String? {
            job.manifest.commands.first { $0.events.contains(event) }?.name
        }
        if let command = first(.postBuild) { return ", or \(command), which `maand-plan prepare` runs" }
        guard let command = first(.preDeploy) else { return ", or a hook of the job" }
        return "; planning runs no hook: if \(command) sets it, add `post_build` to its `executed_on`, and run "
            + "`maand-plan prepare`"
    }
}
