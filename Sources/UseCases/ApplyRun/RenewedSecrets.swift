internal import Catalog
internal import Executor
internal import KeyValues
internal import Model
internal import Plans
internal import Templates
internal import ThisHost
internal import Windows

extension ExecutionContext {
    /// Makes sure that the bucket's key is the one that its secrets are encrypted with, if there are any.
    ///
    /// - Throws: `VaultError`, `CatalogError`.
    func checkKey() throws { _ = try Vault.open(in: bucketFolder, of: catalog) }

    /// Makes sure, before anything is touched, that the values of a plan's secrets are at hand, are those of when it was made, and
    /// fit into their files.
    ///
    /// - Throws: `VaultError`, `SecretSourceError`, `CatalogError`, `StoreError`; `RolloutError.stale`, `.noValue`,
    ///   `.certificatesEnded`.
    func checkSecrets(of plan: Plan) async throws {
        let jobs = plan.waves.flatMap(\.jobs).filter { !$0.secrets.isEmpty }
        let now = clock.now()
        let ended = jobs.flatMap { job in
            job.endedCertificates(at: now).map { "\(job.job): \($0.place) is valid until \($0.endsAt.utcText)" }
        }
        guard ended.isEmpty else { throw RolloutError.certificatesEnded(ended) }
        try await askProviders(of: plan)
        var facts: [StaleFact] = []
        for job in jobs {
            guard let first = job.entries.first else { continue }
            let provided = job.secrets.filter { $0.provider != nil }
            facts += StaleFact.changes(
                of: provided.map(\.reference), try sealedFiles.fingerprints(of: provided),
                AllocationID(job: job.job, worker: first.worker))
        }
        guard facts.isEmpty else { throw RolloutError.stale(facts) }
        var seen = Set<Digest>()
        for job in jobs {
            for content in job.content {
                for entry in try store.tree(content.tree).entries
                where entry.kind == .sealed && seen.insert(entry.digest).inserted {
                    do {
                        _ = try sealedFiles.render(entry.digest)
                    } catch let problem as SealedFileProblem {
                        throw RolloutError.noValue([
                            "\(job.job): \(entry.path): \(problem). Nothing was touched. Correct the secret or the template"
                                + ", and plan again"
                        ])
                    }
                }
            }
        }
    }

    /// Asks for the values of a plan's secrets that somebody else keeps.
    ///
    /// - Throws: `SecretSourceError`, `VaultError`, `CatalogError`.
    func askProviders(of plan: Plan) async throws {
        try await sealedFiles.ask(for: plan.waves.flatMap(\.jobs).flatMap(\.secrets))
    }

    /// Whether the key is needed to compare or to send files of the plan.
    func needsKey(_ plan: Plan) -> Bool {
        if plan.hasSecrets { return true }
        var trees = Set(plan.reconcile.lazy.flatMap { [$0.from.content, $0.from.unfinished] }.compactMap(\.self))
        for job in plan.waves.lazy.flatMap(\.jobs) {
            trees.formUnion(job.from.lazy.flatMap { [$0.value.content, $0.value.unfinished] }.compactMap(\.self))
        }
        return trees.contains { tree in
            (try? store.tree(tree))?.entries.contains { $0.kind == .sealed } == true
        }
    }

    /// A way back as it is executed: its files with secrets get the values that these have now. Hooks of the release that
    /// has failed may have put other ones since the plan was made, and nobody wants a way back that is stale.
    ///
    /// What is kept of such files is in the store when this returns; of a run that goes back already, the plan, too.
    ///
    /// - Throws: `RolloutError.noValue` if a secret is not there any more; `StoreError`, `CatalogError`.
    func renewed(_ back: Plan, of run: Run) async throws -> Plan {
        let secrets = back.waves.flatMap(\.jobs).flatMap(\.secrets)
        if secrets.isEmpty { return back }
        try await sealedFiles.ask(for: secrets)
        let now = try sealedFiles.fingerprints(of: secrets)
        var back = back
        for wave in back.waves.indices {
            for job in back.waves[wave].jobs.indices where !back.waves[wave].jobs[job].secrets.isEmpty {
                back.work.body.waves[wave].jobs[job] = try renewed(back.waves[wave].jobs[job], now)
            }
        }
        if let known = run.wayBack {
            let file = PlanFile(back)
            if file.id == known { return back }
            try store.put(file.bytes)
            try catalog.renewWayBack(of: run.id, by: file.id)
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
        renewed.certificates =
            try catalog.certificates(among: renewed.secrets, of: job.job) ?? job.certificates
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
            throw RolloutError.noValue(
                names.map {
                    "\(job): \(path) of before needs the secret \($0), which is not there any more. Put it, and run the same command"
                })
        } catch RenewedTree.Problem.unreadable(let entry) {
            throw RolloutError.content(["\(job): what is kept of \(entry.path) (\(entry.digest)) is damaged"])
        }
    }
}
