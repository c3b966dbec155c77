internal import Model
internal import Plans
internal import Workers

extension RefreshCatalog.Findings {
    mutating func compare(
        _ inventory: WorkerInventory, _ worker: WorkerName, _ recorded: [AllocationID: AllocationRecord],
        listless: Set<AllocationID>, isKnown: (Digest) -> Bool
    ) {
        var there = Set<JobName>()
        for job in inventory.jobs {
            there.insert(job.job)
            add(AllocationID(job: job.job, worker: worker), recorded, found: job, isKnown: isKnown)
        }
        for allocation in recorded.keys.sorted() where allocation.worker == worker && !there.contains(allocation.job) {
            // Of what was taken over from Maand no worker has a list.
            if listless.contains(allocation) {
                agreeing += 1
            } else {
                add(allocation, recorded, found: nil, isKnown: isKnown)
            }
        }
    }

    private mutating func add(
        _ allocation: AllocationID, _ recorded: [AllocationID: AllocationRecord], found job: WorkerInventory.Job?,
        isKnown: (Digest) -> Bool
    ) {
        let record = recorded[allocation] ?? .none
        var found = record.contradicted(by: job) ?? record
        // What was there before something was begun no worker has any more: where the store has lost it, too, no plan can
        // say what changes.
        if found.unfinished != nil, let promoted = found.promoted, !isKnown(promoted.content) { found.promoted = nil }
        if found != record {
            differences.append(Difference(allocation: allocation, recorded: record, found: found))
        } else {
            agreeing += 1
        }
    }
}

extension AllocationRecord {
    /// What to record in place of this, or nil where the worker does not contradict it.
    ///
    /// A worker remembers only the last thing that was done with a job. Where that proves nothing, the catalog is
    /// believed as long as the files are its own.
    func contradicted(by job: WorkerInventory.Job?) -> AllocationRecord? {
        guard let job else {
            let isThere = state != .removed && (promoted != nil || unfinished != nil)
            return isThere ? AllocationRecord(state: .removed) : nil
        }
        let release = Release(
            version: Version.text(inManifest: job.manifest) ?? Version.none.text, content: job.tree.digest)
        let isOwn = !job.isAltered && state != .removed
        if state == .stoppedByHand, isOwn, promoted == release, job.last.isStop { return nil }
        switch job.last {
        // What a target by its name has done is not recorded, and nothing that is recorded depends on it.
        case .failed(let target) where isOwn && promoted == release && LifecycleAction(rawValue: target)?.target == nil:
            return nil
        case .succeeded(let target) where !job.isAltered:
            if target == LifecycleAction.stop.target {
                let found = withOwnKnowledge(AllocationRecord(promoted: release, state: .stopped))
                // A stop that was begun is part of a removal, or of one that its own plan goes on with.
                return self == found || (isOwn && unfinished?.content == release.content) ? nil : found
            }
            let found = withOwnKnowledge(
                AllocationRecord(promoted: release, owesGate: owesGate, failedGate: failedGate))
            return self == found || (isOwn && unfinished?.content == release.content) ? nil : found
        case .unknown where isOwn && (unfinished ?? promoted)?.content == release.content: return nil
        case .failed where isOwn && unfinished?.content == release.content: return nil
        case .succeeded, .unknown, .failed:
            if isOwn, unfinished?.content == release.content { return nil }
            return withOwnKnowledge(
                AllocationRecord(
                    promoted: promoted, unfinished: release, owesGate: owesGate, failedGate: failedGate))
        }
    }

    /// What was found on a worker, with what no worker knows: gates that were not passed, load balancers, runs that were taken
    /// back.
    private func withOwnKnowledge(_ found: AllocationRecord) -> AllocationRecord {
        var found = found
        found.isDrained = isDrained
        found.takenBack = takenBack
        return found
    }
}

extension WorkerInventory {
    /// How many runs a catalog that was put back may lack: one run a minute for two months.
    private static let largestGap = 100_000

    /// What no worker of this controller can have, so that nothing of it is recorded; nil where there is nothing.
    ///
    /// - Parameter last: the last run that the catalog knows.
    func flaw(to controller: String, after last: Int) -> InvalidAnswer? {
        if let owner, owner.controller == controller, owner.sequence - last > Self.largestGap {
            return InvalidAnswer(
                "the worker belongs to run \(owner.sequence), and run \(last) is the last that is known here. Where many runs "
                    + "are missing from the catalog, bring back a newer copy of it; otherwise `--take-over` of the next rollout "
                    + "takes the worker")
        }
        for job in jobs where Version.text(inManifest: job.manifest) == nil {
            return InvalidAnswer("the manifest of \(job.job) there has no version that a job can have")
        }
        return nil
    }
}

extension RefreshCatalog.Findings.Difference {
    var changes: [CatalogChange] {
        switch (found.state, found.unfinished, found.promoted) {
        case (.removed, _, _): [.stopped(allocation, removed: true)]
        case (.stopped, _, let release?): [.promoted(allocation, release), .stopped(allocation, removed: false)]
        case (.stoppedByHand, _, let release?): [.promoted(allocation, release), .stoppedByHand(allocation)]
        // A removal forgets what was promoted.
        case (_, let release?, nil) where recorded.promoted != nil:
            [.stopped(allocation, removed: true), .began(allocation, release)]
        case (_, let release?, _): [.began(allocation, release)]
        case (_, nil, let release?): [.promoted(allocation, release)]
        case (.stopped, _, nil), (.stoppedByHand, _, nil), (.active, nil, nil): []
        }
    }
}

extension WorkerInventory.LastWord {
    /// Whether the last thing that was done is a stop that ended well.
    fileprivate var isStop: Bool {
        switch self {
        case .succeeded(let target): target == LifecycleAction.stop.target
        case .failed, .unknown: false
        }
    }
}
