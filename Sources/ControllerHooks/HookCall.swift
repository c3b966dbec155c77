package import Catalog
package import Model
package import Plans
internal import Workers

/// One attempt of one hook, as the process that starts it knows it.
package struct HookCall: Hashable, Sendable {
    package let attempt: WritingAttempt
    package let job: JobName
    package let worker: WorkerName
    package let hook: Plan.Hook
    package let event: HookEvent
    /// The attempt's name in its receipt.
    package let id: String
    /// Seconds.
    package let timeout: Int
    /// The tree of the job's `_modules`.
    package let modules: Digest
    /// The hook's variables, beside those that say which allocation it is for.
    package let input: [String: String]
    /// Variables about its batch where it belongs to none. They follow from the plan and what is recorded, and are no part of the
    /// attempt's identity.
    package let batch: [String: String]

    /// A hook of the event `health_check`. It belongs to no step: each has a name of its own, and is never asked about again.
    package init(
        probe hook: Plan.Hook, of job: Plan.Job, _ worker: WorkerName, running version: String, in batch: HookBatch,
        run: Run
    ) {
        let nonce = WorkerSession.randomNonce()
        attempt = WritingAttempt(run: run.id, step: StepID("@probe/\(nonce)"), attempt: 1)
        self.job = job.job
        self.worker = worker
        self.hook = hook
        event = .healthCheck
        id = "\(run.nonce)-probe-\(nonce)"
        timeout = job.timeouts.hook
        modules = job.hooks?.modules ?? Digest.of([])
        input = ["DISABLED": "0", "CURRENT_VERSION": version, "NEW_VERSION": job.version]
        self.batch = batch.variables
    }

    package init(
        attempt: WritingAttempt, job: JobName, worker: WorkerName, hook: Plan.Hook, event: HookEvent, id: String,
        timeout: Int, modules: Digest, input: [String: String], batch: [String: String]
    ) {
        self.attempt = attempt
        self.job = job
        self.worker = worker
        self.hook = hook
        self.event = event
        self.id = id
        self.timeout = timeout
        self.modules = modules
        self.input = input
        self.batch = batch
    }

    package var allocation: AllocationID { AllocationID(job: job, worker: worker) }

    /// Over all that decides what is run, as far as the plan binds it.
    package var digest: String {
        let input = input.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }.joined()
        return "\(modules) \(hook.script) \(hook.digest)\n\(input)"
    }
}
