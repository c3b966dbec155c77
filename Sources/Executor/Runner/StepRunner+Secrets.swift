internal import Catalog
internal import KeyValues
package import Model
internal import Plans
internal import Workers

/// Targets and commands may print files in which secrets stand: what is kept of their output has none.
extension StepRunner {
    /// The ending with the bucket's secrets struck out of the output: a target may print files of other jobs, too. A hook's
    /// are struck out where it is run.
    func withoutSecrets(_ ending: Ending, _ index: StepIndex) -> Ending {
        guard let output = ending.output, !output.stdout.isEmpty || !output.stderr.isEmpty else { return ending }
        switch graph.steps[index].task {
        case .target, .shell: break
        case .push, .hook, .gate, .bake, .order, .promote, .remove, .complete, .boot, .reboot, .pause: return ending
        }
        let secrets = sealed.all(in: recorder.run.id, on: graph.steps[index].worker)
        if secrets.isEmpty { return ending }
        var ending = ending
        ending.output = output.mapped { Redaction.strike(secrets, from: $0) }
        return ending
    }
}

extension SealedFiles {
    /// The values of all secrets of the bucket, earlier ones too, those that somebody else keeps and this process knows, and the
    /// keys of certificates that the worker has.
    func all(in run: RunID, on worker: WorkerName?) -> StruckSecrets {
        do {
            var secrets = try memory.struckSecrets(try catalog.secretsState(run)) {
                let namespaces = try catalog.secretNamespaces()
                return namespaces.isEmpty
                    ? StruckSecrets() : StruckSecrets.stored(in: namespaces, run, catalog, try vault())
            }
            if let worker { secrets.formUnion(.keys(on: worker, catalog, try vault())) }
            return secrets
        } catch {
            return .unreadable
        }
    }
    /// Whether bytes of a file of a worker hold a secret of the bucket, in whatever form, or nobody can tell.
    ///
    /// - Parameter run: the last one.
    package func mayHoldSecrets(_ bytes: [UInt8], in run: RunID, on worker: WorkerName) -> Bool {
        Redaction.strike(all(in: run, on: worker), from: bytes) != bytes
    }
}

extension StepOutput {
    /// What a worker has kept of both streams, and how much there was.
    init(_ output: Tail, _ errors: Tail) {
        self.init(stdout: output.bytes, stderr: errors.bytes, stdoutSize: output.total, stderrSize: errors.total)
    }
}
