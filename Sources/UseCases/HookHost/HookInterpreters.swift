internal import Glibc
internal import JobFiles
internal import Model
internal import Plans

extension HookHost {
    /// The interpreters with which hooks in Python run, of jobs for which `maand.conf` names a virtual environment.
    ///
    /// - Throws: `RolloutError.hooks` where one might be another's, and where a job has one in the workspace instead: earlier
    ///   releases ran that.
    func interpreters(for plan: Plan) throws -> [JobName: String] {
        let jobs = plan.jobsWithPython
        let configuration = context.configuration
        let workspace = "\(context.bucketFolder)/workspace"
        let stray = jobs.filter {
            configuration.hookVenvs[$0] == nil && !JobFolder.venvs(of: $0, in: workspace).isEmpty
        }
        if let first = stray.first {
            let path = JobFolder.venvs(of: first, in: workspace).first ?? ""
            throw RolloutError.hooks(
                "job \(first): they never run with \(workspace)/jobs/\(first)/\(path), since no review shows what is in a "
                    + "virtual environment of the workspace. To go on, \(configuration.adviceOnVenvs(of: stray)).")
        }
        let forbidden = Set(["", "/jobs"].compactMap { Self.resolved(workspace + $0) })
        var found: [JobName: String] = [:]
        for job in jobs {
            guard let venv = configuration.hookVenvs[job] else { continue }
            let python = "\(venv)/bin/python3"
            if let flaw = TrustedProgram.flaw(python, owners: [0, geteuid()], forbidden: forbidden) {
                throw RolloutError.hooks(
                    "`hook_venvs` of maand.conf names \(venv) for the job \(job), and \(flaw). It has to be a virtual "
                        + "environment outside of the workspace, and only root or the user who applies may write there and in "
                        + "the folders above: `python3 -m venv \(venv)` makes one.")
            }
            found[job] = python
        }
        return found
    }

    private static func resolved(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
