internal import Catalog
internal import JobFiles
internal import Model
internal import Plans
internal import Templates
internal import YAML

/// Compares what a plan pushes and runs with the store and the workspace.
struct ContentCheck {
    let store: ContentStore
    let catalog: Catalog
    let bucketFolder: String

    init(_ context: ExecutionContext) {
        store = context.store
        catalog = context.catalog
        bucketFolder = context.bucketFolder
    }

    /// Makes sure, before anything is touched, that everything the plan pushes is at hand.
    ///
    /// Where the store lacks something or holds it altered, the workspace serves if its digests match: so a plan can be
    /// applied from another checkout than the one where it was made.
    ///
    /// - Throws: `RolloutError.content` naming what is missing, `RolloutError.contradictory` where a job's version is not
    ///   that of the manifest which comes with it, or a hook's script is not that of its `_modules`.
    func check(_ plan: Plan) throws {
        var problems: [String] = []
        var seen = Set<Digest>()
        for job in plan.waves.lazy.flatMap(\.jobs) {
            for content in job.content where seen.insert(content.tree).inserted && !isStored(content.tree, &seen) {
                problems += try restore(
                    content.tree, of: job.job, isOfHooks: false, planned: job.changes.flatMap(\.value))
            }
            problems += missingBases(of: job)
        }
        for (job, tree) in plan.modules where seen.insert(tree).inserted && !isStored(tree, &seen) {
            problems += try restore(tree, of: job, isOfHooks: true, planned: [])
        }
        problems += scriptProblem(of: plan).map { [$0] } ?? []
        guard problems.isEmpty else { throw RolloutError.content(problems) }
        // Only now everything can be read that the plan has to agree with.
        var wrong = try plan.waves.lazy.flatMap(\.jobs).flatMap {
            try contradictions(of: $0) + foreignHooks(of: $0, in: plan) + wrongSecrets(of: $0)
        }
        for (job, modules, hooks) in plan.hooksOfJobs {
            let files = Dictionary(try store.tree(modules).entries.map { ($0.path, $0.digest) }) { first, _ in first }
            for hook in hooks where files[hook.path] != hook.digest {
                wrong.append("\(job): the plan has another digest of \(hook.path) than its files")
            }
        }
        guard wrong.isEmpty else { throw RolloutError.contradictory(wrong) }
    }

    /// What keeps the script that the plan runs from being run: the store alone has it.
    private func scriptProblem(of plan: Plan) -> String? {
        guard case .runCommand(let command) = plan.work, let script = command.command.script else { return nil }
        do {
            let bytes = try store.read(script.digest, limit: WorkerCommand.limit)
            return WorkerCommand.text(of: bytes) == nil ? "the script \(script.file) is no text" : nil
        } catch {
            return "the script \(script.file) (\(script.digest)): \(error)"
        }
    }

    /// Where the job's part of the plan says another version than its manifest, lists other changes than its trees have, or
    /// has hooks whose files are not the job's: a reviewer sees the lists. Each tree is read once.
    private func contradictions(of job: Plan.Job) throws -> [String] {
        let states = Dictionary(job.from.map { ($0.name, $0.value) }) { first, _ in first }
        let listed = Dictionary(job.changes.map { ($0.name, $0.value) }) { first, _ in first }
        let begins = Dictionary(job.entries.map { ($0.worker, $0.from) }) { first, _ in first
        }
        let versions = Dictionary(
            job.versions.flatMap { version in version.value.map { ($0, version.name) } }
        ) { first, _ in first }
        let hooks = try job.hooks.map { Set(try store.tree($0.modules).entries) }
        var hasOtherHooks = false
        var wrong: [String] = []
        for content in job.content {
            let tree = try store.tree(content.tree)
            let bound = version(in: tree)
            let names = Set(content.workers.compactMap { begins[$0] }).sorted()
            // What is deployed may have several versions; nothing of it changes.
            let planned =
                job.isOperated
                ? Set(names.compactMap { states[$0]?.version })
                : Set(content.workers.map { versions[$0] ?? job.version })
            for version in planned.sorted() where version != bound {
                wrong.append("\(job.job): the plan says \(version), and its manifest.json \(bound ?? "no version")")
            }
            // Of several releases that are put back, one has the hooks.
            if let hooks, planned.contains(job.version), !hooks.isSubset(of: tree.entries) { hasOtherHooks = true }
            for name in names where !job.isOperated {
                // A state without a list of changes says that nothing changes.
                let listed = listed[name] ?? []
                guard let state = states[name],
                    // Of a state that is not settled the store may have lost a tree; there whatever differs is replaced.
                    let changes = try? state.changes(to: tree, trees: { try store.tree($0) }), changes != listed
                else { continue }
                let paths = Set(changes).symmetricDifference(listed).map(\.path).sorted()
                wrong.append(
                    "\(job.job), changes of the state \(name): what the plan lists is not what its trees differ in: "
                        + paths.listed(first: 5))
            }
        }
        if hasOtherHooks {
            wrong.append("\(job.job): its hooks run from other files than those of the job")
        }
        return wrong
    }

    /// Where the plan names other secrets than those of the files that it sends: a reviewer sees its list. And a job writes
    /// only secrets of its own, and of jobs that it demands.
    private func wrongSecrets(of job: Plan.Job) throws -> [String] {
        if job.isOperated { return [] }
        var uses: [(path: String, secrets: [SecretReference])] = []
        for content in job.content {
            for entry in try store.tree(content.tree).entries where entry.kind == .sealed {
                guard let file = SealedFile(bytes: try store.read(entry.digest, limit: SealedFile.maximumWritten))
                else {
                    return ["\(job.job): what is kept of \(entry.path) is no file with secrets"]
                }
                uses.append((entry.path, file.secrets))
            }
        }
        let providers = Dictionary(job.secrets.map { ($0.reference.name, $0.provider) }) { first, _ in first }
        var wrong: [String] = []
        if Plan.Secret.list(uses, provider: { providers[$0] ?? nil }) != job.secrets {
            wrong.append("\(job.job): `secrets` does not list the secrets of the files that the plan sends")
        }
        for name in job.secrets.map(\.reference.name)
        where name.job != job.job && (name.isCertificate || !job.demands.contains(name.job)) {
            wrong.append("\(job.job): it would write \(name), a secret of a job that it does not demand")
        }
        if let certificates = try catalog.certificates(among: job.secrets, of: job.job),
            certificates != job.certificates
        {
            wrong.append("\(job.job): `certificates` does not list the certificates of the files that the plan sends")
        }
        return wrong
    }

    /// Where a rollout that is only completed has hooks, they have to be those that were deployed: the plan pushes nothing, so
    /// that a reviewer sees no change.
    private func foreignHooks(of job: Plan.Job, in plan: Plan) throws -> [String] {
        guard plan.kind == .deploy, job.content.isEmpty, let modules = job.hooks?.modules else { return [] }
        let hooks = Set(try store.tree(modules).entries)
        let records = try catalog.records(of: job.active.map { AllocationID(job: job.job, worker: $0) })
        let deployed = Set(records.values.compactMap(\.promoted).map(\.content))
        return deployed.sorted { $0.hex < $1.hex }.compactMap { tree in
            guard let files = try? store.tree(tree) else {
                return "\(job.job): the list of the files that run there now (\(tree)) is not in the store; "
                    + "`maand-plan catalog refresh` asks the workers for it"
            }
            if hooks.isSubset(of: files.entries) { return nil }
            return "\(job.job): its hooks run from other files than those that were deployed"
        }
    }

    /// The version in the `manifest.json` of a tree; nil where there is no such file, or nothing in it that is one.
    private func version(in tree: Tree) -> String? {
        guard let entry = tree.entries.first(where: { $0.path == "manifest.json" }),
            entry.kind == .file || entry.kind == .executable,
            let bytes = try? store.read(entry.digest, limit: InputLimits.standard.bytes)
        else { return nil }
        return Version.text(inManifest: bytes)
    }

    /// What a push compares the worker's files with has to be there, too. Only the workers can say it once more.
    private func missingBases(of job: Plan.Job) -> [String] {
        let acting = Set(job.entries.map(\.from))
        return job.from.compactMap { state in
            guard acting.contains(state.name), state.value.unfinished == nil, let base = state.value.content,
                (try? store.tree(base)) == nil
            else { return nil }
            return "\(job.job): the list of the files that run there now (\(base)) is not in the store; "
                + "`maand-plan catalog refresh` asks the workers for it"
        }
    }

    /// Whether a tree and all of its files are in the store, whole.
    private func isStored(_ tree: Digest, _ seen: inout Set<Digest>) -> Bool {
        do {
            for entry in try store.tree(tree).entries where entry.kind != .emptyDirectory {
                if seen.insert(entry.digest).inserted, !isWhole(entry.digest) { return false }
            }
            return true
        } catch {
            return false
        }
    }

    private func isWhole(_ digest: Digest) -> Bool {
        guard store.contains(digest) else { return false }
        do {
            var reader = try store.reader(of: digest)
            while try reader.next() != nil {}
            return true
        } catch {
            return false
        }
    }

    /// Puts a tree's content into the store from the workspace. Returns what differs there.
    ///
    /// - Parameters:
    ///   - isOfHooks: the tree holds only the files of hooks.
    ///   - planned: what the plan says of the tree's paths, where not even the tree is stored.
    private func restore(
        _ tree: Digest, of job: JobName, isOfHooks: Bool, planned: [FileChange]
    ) throws -> [String] {
        let workspace = "\(bucketFolder)/workspace"
        var findings = Findings()
        var content = JobFolder.read(job, of: workspace, into: &findings)
        content.applyModes(of: workspace, job)
        let candidates = JobFolder.Rules.allCases.map { rules in
            let all = content.tree(by: rules)
            return isOfHooks ? Tree(all.entries.filter { TreePath.isOfHooks($0.path) }) : all
        }
        guard let found = candidates.first(where: { $0.digest == tree }) else {
            return differences(candidates[0], tree, job, planned)
        }
        for entry in found.entries where entry.kind != .emptyDirectory {
            if isWhole(entry.digest) { continue }
            try store.discard(entry.digest)
            switch entry.kind {
            case .symlink: try store.put(content.links[entry.path] ?? [])
            // They are made by planning, and no workspace has them.
            case .sealed: break
            case .file, .executable:
                try store.put(fileAt: "\(workspace)/jobs/\(job)/\(content.source(of: entry))", expecting: entry.digest)
            case .emptyDirectory: break
            }
        }
        try store.discard(tree)
        try store.put(found)
        return []
    }

    /// The paths of the plan that are neither in the store nor, as the plan has them, in the workspace.
    private func differences(_ found: Tree, _ tree: Digest, _ job: JobName, _ planned: [FileChange]) -> [String] {
        let here = Dictionary(found.entries.map { ($0.path, $0.digest) }, uniquingKeysWith: { first, _ in first })
        let planned: [(path: String, digest: Digest?)] =
            if let stored = try? store.tree(tree) {
                stored.entries.map { ($0.path, $0.digest) }
            } else {
                planned.map { ($0.path, $0.to) }
            }
        let differing = planned.filter { entry in
            here[entry.path] != entry.digest && !(entry.digest.map(isWhole) ?? false)
        }
        if differing.isEmpty { return ["\(job): the tree \(tree), and the workspace has another: \(found.digest)"] }
        return differing.map { "\(job): \($0.path) is not in the store, and another one is in the workspace" }
    }
}
