internal import Catalog
internal import Executor
internal import KeyValues
internal import Model
internal import Plans
internal import Templates

extension ExecutionContext {
    /// Makes sure that the bucket's key is the one that its secrets are encrypted with, if there are any.
    ///
    /// - Throws: `VaultError`, `CatalogError`.
    func checkKey() throws { _ = try Vault.open(in: bucketFolder, known: try catalog.keyFingerprint()) }

    /// Makes sure that the values of a plan's secrets are at hand, and those of when it was made, before anything is touched.
    ///
    /// - Throws: `VaultError`, `SecretSourceError`, `CatalogError`; `RolloutError.stale`.
    func checkSecrets(of plan: Plan) async throws {
        let jobs = plan.waves.flatMap(\.jobs).filter { !$0.secrets.isEmpty }
        if jobs.isEmpty { return }
        try checkKey()
        var facts: [StaleFact] = []
        for job in jobs {
            try await sealedFiles.ask(for: job.secrets)
            guard let first = job.entries.first else { continue }
            let provided = job.secrets.filter { $0.provider != nil }
            facts += StaleFact.changes(
                of: provided.map(\.reference), try sealedFiles.fingerprints(of: provided),
                AllocationID(job: job.job, worker: first.worker))
        }
        guard facts.isEmpty else { throw RolloutError.stale(facts) }
    }

    /// A way back as it is executed: its files with secrets get the values that these have now. Hooks of the release that
    /// has failed may have put other ones since the plan was made, and nobody wants a way back that is stale.
    ///
    /// What is kept of such files is in the store when this returns.
    ///
    /// - Throws: `RolloutError.content` if a secret is not there any more; `StoreError`, `CatalogError`.
    func renewed(_ back: Plan) async throws -> Plan {
        let secrets = back.waves.flatMap(\.jobs).flatMap(\.secrets)
        try await sealedFiles.ask(for: secrets)
        let now = try sealedFiles.fingerprints(of: secrets)
        if secrets.allSatisfy({ now[$0.reference.name] == $0.reference.fingerprint }) { return back }
        var back = back
        for wave in back.waves.indices {
            for job in back.waves[wave].jobs.indices where !back.waves[wave].jobs[job].secrets.isEmpty {
                back.work.body.waves[wave].jobs[job] = try renewed(back.waves[wave].jobs[job], now)
            }
        }
        return back
    }

    private func renewed(_ job: Plan.Job, _ now: [SecretName: SecretFingerprint]) throws -> Plan.Job {
        var ends: [WorkerName: Tree] = [:]
        var uses: [(path: String, secrets: [SecretReference])] = []
        for content in job.content {
            let renewed = try renewed(content.tree, of: job.job, now)
            for bytes in renewed.files.values { try store.put(bytes) }
            if !renewed.files.isEmpty { try store.put(renewed.tree) }
            for worker in content.workers { ends[worker] = renewed.tree }
            uses += renewed.secrets.map { (path: $0.key, secrets: $0.value) }
        }
        var renewed = job
        renewed.content = Plan.Content.groups(
            job.active.compactMap { worker in ends[worker].map { (worker, $0.digest) } })
        let providers = Dictionary(job.secrets.map { ($0.reference.name, $0.provider) }) { first, _ in first }
        renewed.secrets = Plan.Secret.list(uses) { providers[$0] ?? nil }
        let work = JobWork(job)
        var changes: [String: [FileChange]] = [:]
        for entry in job.entries where changes[entry.from] == nil {
            guard let from = work.from(of: entry), let tree = ends[entry.worker] else { continue }
            changes[entry.from] = try from.changes(to: tree, trees: { try store.tree($0) })
        }
        renewed.changes = job.changes.map { .init($0.name, changes[$0.name] ?? $0.value) }
        return renewed
    }

    private func renewed(
        _ tree: Digest, of job: JobName, _ now: [SecretName: SecretFingerprint]
    ) throws -> RenewedTree {
        do {
            return try RenewedTree(
                of: store.tree(tree), content: { try store.read($0, limit: SealedFile.maximumWritten) },
                fingerprint: { now[$0] })
        } catch RenewedTree.Problem.missing(let path, let names) {
            throw RolloutError.content(
                names.map { "\(job): \(path) needs the secret \($0), which is not there any more; put it" })
        } catch RenewedTree.Problem.unreadable(let entry) {
            throw RolloutError.content(["\(job): what is kept of \(entry.path) (\(entry.digest)) is damaged"])
        }
    }
}
