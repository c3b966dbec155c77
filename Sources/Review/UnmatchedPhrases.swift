internal import Model
internal import Plans

// What a plan says of jobs without a worker, for every format.

extension Plan {
    /// Which labels no worker has, and what is stopped for that.
    func phrase(_ job: UnmatchedJob) -> Phrase {
        let stopped = reconcile.count { $0.allocation.job == job.job && $0.reason == .noWorkerMatches }
        let labels = job.selectors.map { "\($0)" as Phrase }.list()
        var phrase: Phrase = "\(job.job) needs \(labels)"
        if !job.nearest.isEmpty {
            phrase = phrase + " (did you mean " + job.nearest.map { "\($0.value)" as Phrase }.list() + "?)"
        }
        if stopped == 0 { return phrase }
        let what = Wording.count(stopped, "allocation is", "allocations are")
        return phrase + ": its selectors match no worker any more, and \(own: what) stopped and removed"
    }
}
