internal import Catalog
internal import KeyValues
internal import Model
internal import Plans

/// Targets and commands may print files in which secrets stand: what is kept of their output has none.
extension StepRunner {
    /// The ending with secrets struck out of the output: those of the job and of the jobs that it demands; of a command on a
    /// worker as a whole those of all jobs. A hook's are struck out where it is run.
    func withoutSecrets(_ ending: Ending, _ index: StepIndex) -> Ending {
        guard let output = ending.output, !output.stdout.isEmpty || !output.stderr.isEmpty else { return ending }
        let secrets: StruckSecrets
        switch graph.steps[index].task {
        case .target:
            let job = graph.rules(index).job
            let others = (job?.demands ?? []) + (job?.secrets.map(\.reference.name.job) ?? [])
            secrets = sealed.stored(of: Set(others).union(graph.steps[index].job.map { [$0] } ?? []), recorder.run.id)
        case .shell: secrets = sealed.stored(of: nil, recorder.run.id)
        case .push, .hook, .gate, .bake, .order, .promote, .remove, .complete, .boot, .reboot, .pause: return ending
        }
        if secrets.isEmpty { return ending }
        var ending = ending
        ending.output = StepOutput(
            stdout: Redaction.strike(secrets, from: output.stdout),
            stderr: Redaction.strike(secrets, from: output.stderr))
        return ending
    }
}

extension SealedFiles {
    /// The values of these jobs' secrets that are stored, earlier ones too; nil means those of all jobs.
    func stored(of jobs: Set<JobName>?, _ run: RunID) -> StruckSecrets {
        do {
            let namespaces = try catalog.keyValueNamespaces().filter { namespace in
                if case .secrets(let job) = namespace { jobs?.contains(job) ?? true } else { false }
            }
            var secrets =
                namespaces.isEmpty ? StruckSecrets() : StruckSecrets.stored(in: namespaces, run, catalog, try vault())
            provided.add(of: jobs, to: &secrets)
            return secrets
        } catch {
            return .unreadable
        }
    }
}
