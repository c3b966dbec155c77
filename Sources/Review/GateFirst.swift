internal import Model
internal import Plans

extension Plan {
    /// Why the gate of a job comes before everything else of it.
    func reasonOfGateFirst(of job: Plan.Job) -> String {
        reconcile.contains { $0.allocation.job == job.job }
            ? "allocations of the job are stopped before" : "the last one failed or never ran"
    }
}
