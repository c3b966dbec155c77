internal import JobFiles
internal import Model
internal import YAML

/// Scripts that look for the rollout at a port, as hooks of Maand can: here hooks have none, unless `maand.conf` opens one.
enum HookAddresses {
    /// Variables that name the host of the port.
    private static let variables = ["HOOK_API_HOST", "JOB_COMMAND_API_HOST"]
    /// Bytes of a script that is read, and scripts of a job, at most: a warning is worth no more.
    private static let limit = (bytes: 1 << 18, scripts: 200)

    /// Warns of scripts of a job in which such a variable stands.
    ///
    /// - Parameters:
    ///   - tree: what is in the job's folder.
    ///   - folder: the workspace's, as messages show it.
    static func check(_ job: JobName, _ tree: Tree, _ files: Files, _ folder: String, into findings: inout Findings) {
        let scripts = tree.entries.filter {
            TreePath.isOfHooks($0.path) && $0.kind.isFile && $0.size <= limit.bytes
        }
        for script in scripts.prefix(limit.scripts) {
            let path = "jobs/\(job)/\(script.path)"
            guard let bytes = try? files.read(path, limit: limit.bytes),
                let name = variables.first(where: { bytes.firstRange(of: Array($0.utf8)) != nil })
            else { continue }
            findings.warn(
                "\(folder)/\(path)", "job \(job): hooks get \(name) only if maand.conf opens a port",
                note:
                    "ask with `import maand`, which needs none; or write `hook_api_port = 8080` into maand.conf and send "
                    + "the token (docs/hooks.md, A TCP port): every user of this host can reach the port")
        }
    }
}
