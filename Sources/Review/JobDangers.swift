internal import Model
internal import Plans

// What a reviewer has to know of a job before its details.

extension Plan.Job {
    /// What acts, and where.
    var entriesPhrase: Phrase { "\(job) \(version) on \(WorkerList.phrase(entries.map(\.worker)))" }

    /// Most allocations that act at a time.
    var largestBatch: Int { phases.lazy.flatMap(\.batches).map(\.count).max() ?? 0 }

    /// Whether nothing of the job runs yet, on none of its hosts.
    var isFirstDeployment: Bool {
        let entries = entries
        guard !entries.isEmpty, entries.allSatisfy({ $0.reason == .firstDeploy }) else { return false }
        return Set(active).isSubset(of: entries.map(\.worker))
    }

    /// Tells the entries that act only because somebody forced them: they have this version with these files.
    var isForcedAlone: (Plan.Entry) -> Bool {
        let changed = Set(changes.lazy.filter { !$0.value.isEmpty }.map(\.name))
        let versions = versionsOfStates
        return { $0.reason == .forced && !changed.contains($0.from) && versions[$0.from] == version }
    }

    /// Whether something is started or replaced, and nothing asks afterwards if it works.
    var runsWithoutGate: Bool {
        !phases.contains { $0.gate != .none } && entries.contains { runs($0) && $0.action != .stop }
    }

    /// Whether some allocation gets an older version than it has.
    var goesToOlderVersion: Bool {
        guard let new = Version(version), versions.isEmpty else { return false }
        return oldVersions.contains { Version($0).map { new < $0 } ?? false }
    }

    /// The largest batch in which something that runs is replaced, if it is half of the job or more.
    var manyAtOnce: Phrase? {
        var most: (count: Int, phase: PhaseKind, batch: Int) = (1, .upgrade, 0)
        for phase in phases where phase.kind != .start {
            for (index, batch) in phase.batches.enumerated() {
                let count = batch.count { runs($0) && $0.action != .start }
                if count > most.count { most = (count, phase.kind, index + 1) }
            }
        }
        guard most.count > 1, most.count * 2 >= active.count else { return nil }
        let share: Phrase =
            most.count >= active.count
            ? "all \(most.count) active allocations" : "\(most.count) of \(active.count) active allocations"
        let batches = phases.first { $0.kind == most.phase }?.batches.count ?? 1
        return "\(job): " + share + (batches == 1 ? ", in its only batch" : ", in batch \(most.batch) of \(batches)")
    }

    /// New hosts that get a release before the first host on which it replaces another: the canary comes too late for them.
    /// Nil if the release runs somewhere already.
    func newHostsPhrase(_ plan: Plan) -> Phrase? {
        guard let start = phases.firstIndex(where: { $0.kind == .start }),
            let upgrade = phases.firstIndex(where: { $0.kind == .upgrade }), start < upgrade,
            let canary = phases[upgrade].batches.first
        else { return nil }
        let excluded = plan.excluded.first { $0.name == job.text }?.value ?? []
        let known = Set(entries.map(\.worker) + excluded)
        guard active.allSatisfy(known.contains) else { return nil }
        let new = phases[start].batches.joined().map(\.worker)
        let first: Phrase =
            canary.count <= 3
            ? WorkerList.phrase(canary.map(\.worker)) : "the first batch of \(own: Wording.count(canary.count, "host"))"
        return "\(job): \(version) on \(WorkerList.phrase(new)) before it is tried on " + first
            + "; \(quoted: "rollout.new_hosts") of the manifest can be \(quoted: "with") or \(quoted: "last")"
    }

    /// That sizes of batches are of all active allocations, if only some are upgraded and some sizes differ.
    var sharesPhrase: Phrase? {
        guard !batching.first.isEmpty,
            let phase = phases.first(where: { $0.kind == .upgrade || $0.kind == .jobControl })
        else { return nil }
        let count = phase.batches.reduce(0) { $0 + $1.count }
        guard count < active.count else { return nil }
        let sizes = (batching.first + [batching.upgrades]).map { "\($0)" as Phrase }
        return
            "batches of \(sizes.list(first: 8)), the last size again and again: shares in \(quoted: "rollout.batches") are of "
            + "the \(active.count) active allocations, and \(count) of them act here"
    }
}

extension Plan {
    /// Allocations that the options leave out, although they would change; by job.
    var excluded: [Named<[WorkerName]>] { work.body.excluded }
}

extension PlanRequest {
    /// Whether an option leaves the gates out.
    var takesGatesAway: Bool {
        if case .operation(_, let options) = self { !options.hasGate } else { false }
    }

    /// The flags that choose workers.
    var selectionFlags: [Phrase] {
        switch self {
        case .deploy(let options): options.selection.flags
        case .operation(_, let options): options.selection.flags
        case .runCommand(_, let options): options.selection.flags
        case .reboot(_, let options): options.selection.flags
        case .rollback, .jobCommand: []
        }
    }
}

/// What becomes of the value of a secret in the files of a job.
struct SecretChange {
    enum Kind {
        /// Files on the hosts have another value.
        case changed
        /// No file there has it yet.
        case new
        /// A file with it changes, and what is there is not at hand.
        case unknown
    }

    let secret: SecretName
    let kind: Kind

    /// The secrets of which a file changes and for which that means another value; certificates among them.
    static func of(_ job: Plan.Job, _ contents: FileContents) -> [SecretChange] {
        var changes: [String: [FileChange]] = [:]
        for change in job.changes.lazy.flatMap(\.value) where change.from != change.to {
            changes[change.path, default: []].append(change)
        }
        return job.secrets.compactMap { secret in
            var kinds = Set<Kind>()
            for file in secret.files {
                for change in changes[file] ?? [] {
                    guard let from = change.from else {
                        kinds.insert(.new)
                        continue
                    }
                    guard let before = contents.secrets(of: from, at: file) else {
                        kinds.insert(.unknown)
                        continue
                    }
                    if before.contains(secret.reference) { continue }
                    kinds.insert(before.contains { $0.name == secret.reference.name } ? .changed : .new)
                }
            }
            guard let kind = [Kind.changed, .new, .unknown].first(where: kinds.contains) else { return nil }
            return SecretChange(secret: secret.reference.name, kind: kind)
        }
    }
}
