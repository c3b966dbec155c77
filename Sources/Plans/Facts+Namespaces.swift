public import Model

extension Facts {
    /// The keys and values of a namespace that follows from the workspace; nil for one that is stored, or that names a
    /// job or worker which the workspace does not have.
    ///
    /// - Parameter bucket: the bucket's id.
    public func values(in namespace: KVNamespace, bucket: String) -> [String: String]? {
        switch namespace {
        case .bucket: bucketValues(bucket)
        case .workers: labelValues()
        case .worker(let name): worker(name).map { values(of: $0.worker, position: $0.position) }
        case .tags(let name): worker(name)?.worker.tags
        case .job(let name): job(name).map(values)
        case .allocation(let allocation): values(of: allocation)
        case .bucketVariables: variables
        case .bucketJobVariables(let name): job(name)?.settings
        case .variables, .secrets, .certificates: nil
        }
    }

    /// Whether hooks and templates of an allocation may see the values of a namespace: Maand's rule.
    public func isReadable(_ namespace: KVNamespace, by reader: AllocationID) -> Bool {
        switch namespace {
        case .bucket, .workers, .bucketVariables: true
        case .worker(let worker), .tags(let worker): worker == reader.worker
        case .allocation(let allocation): allocation == reader
        case .bucketJobVariables(let job): job == reader.job
        // Only as Maand names them: see `certificate(behind:of:for:)`.
        case .certificates: false
        case .job(let job), .variables(let job), .secrets(let job):
            job == reader.job || upstreams(of: reader.job).contains(job)
        }
    }

    /// The order of a job's rollouts where nothing has put another one: a chosen one as far as it fits.
    public func rolloutOrder(of job: Job, chosen: String?) -> [WorkerName] {
        let active = active(job)
        guard let chosen, case .success(let order) = RolloutOrder.resolve(chosen, active: active) else { return active }
        return order
    }

    /// The stable id of an allocation, which hooks get as `ALLOCATION_ID`.
    public static func allocationID(_ allocation: AllocationID) -> String {
        stableID(of: "\(allocation.job)|\(allocation.worker)")
    }

    /// Nil where the workspace has no such job.
    public func job(_ name: JobName) -> Job? { jobs.first { $0.job == name } }

    /// The same without allocations that a run goes on without, as if they were disabled.
    public func without(_ allocations: Set<AllocationID>) -> Facts {
        if allocations.isEmpty { return self }
        var facts = self
        for index in facts.jobs.indices {
            let job = facts.jobs[index].job
            facts.jobs[index].disabled += allocations.lazy.filter { $0.job == job }.map(\.worker).sorted()
        }
        return facts
    }

    /// Workers of the job on which it is not disabled, in the order of `workers.json`.
    public func active(_ job: Job) -> [WorkerName] {
        let disabled = Set(job.disabled)
        return allocations(of: job).filter { !disabled.contains($0) }
    }

    /// Jobs that a command of the job demands, each once.
    public func upstreams(of job: JobName) -> Set<JobName> { Set(self.job(job)?.demands.map(\.upstream) ?? []) }

    /// The demands of other jobs for a command of `job`.
    public func demands(for job: JobName, command: String) -> [(job: JobName, demand: Demand)] {
        jobs.flatMap { other in
            other.demands.filter { $0.upstream == job && $0.upstreamCommand == command }.map { (other.job, $0) }
        }
    }

    /// Workers that carry the job's selectors, disabled there or not, in the order of `workers.json`.
    public func allocations(of job: Job) -> [WorkerName] {
        workers.filter { worker in job.selectors.allSatisfy(worker.labels.contains) }.map(\.worker)
    }

    private func worker(_ name: WorkerName) -> (worker: Worker, position: Int)? {
        workers.firstIndex { $0.worker == name }.map { (workers[$0], $0) }
    }

    private func bucketValues(_ bucket: String) -> [String: String] {
        var values: [String: String] = [:]
        let active = jobs.filter { !self.active($0).isEmpty }
        let names = active.map(\.job.text).joined(separator: ",")
        // A port of this name was there before the key was.
        values["active_jobs"] = names
        for job in active { for port in job.ports { values[port.name] = String(port.value) } }
        values["bucket_id"] = bucket
        values["jobs"] = jobs.map(\.job.text).joined(separator: ",")
        values["activejobs"] = names
        return values
    }

    private func labelValues() -> [String: String] {
        var members: [String: [String]] = [:]
        for worker in workers { for label in worker.labels { members[label, default: []].append(worker.worker.text) } }
        var values: [String: String] = [:]
        for (label, names) in members {
            values["\(label)_label_id"] = Self.stableID(of: label)
            values["\(label)_workers"] = names.joined(separator: ",")
            values["\(label)_workers_length"] = String(names.count)
            for (index, name) in names.enumerated() { values["\(label)_\(index)"] = name }
        }
        return values
    }

    private func values(of worker: Worker, position: Int) -> [String: String] {
        var values = [
            "worker_ip": worker.worker.text, "worker_id": worker.id,
            "labels": worker.labels.joined(separator: ","), "position": String(position),
            "worker_memory_mb": worker.memory ?? "0", "worker_cpu_mhz": worker.cpu ?? "0",
            "jobs": jobs.filter { active($0).contains(worker.worker) }.map(\.job.text).joined(separator: ","),
        ]
        values["hostname"] = worker.hostname
        for label in worker.labels {
            let members = workers.filter { $0.labels.contains(label) }.map(\.worker)
            let peers = members.filter { $0 != worker.worker }
            if !peers.isEmpty { values["\(label)_peers"] = peers.map(\.text).joined(separator: ",") }
            values["\(label)_allocation_index"] = members.firstIndex(of: worker.worker).map { String($0) }
        }
        return values
    }

    private func values(of job: Job) -> [String: String] {
        let active = active(job).map(\.text)
        var values = [
            "job_id": Self.stableID(of: job.job.text), "name": job.job.text, "job_name": job.job.text,
            "version": job.version ?? Version.none.text, "selectors": job.selectors.joined(separator: ","),
            "memory": job.memory.reserved, "min_memory_mb": job.memory.minimum, "max_memory_mb": job.memory.maximum,
            "cpu": job.cpu.reserved, "min_cpu_mhz": job.cpu.minimum, "max_cpu_mhz": job.cpu.maximum,
            "workers": active.joined(separator: ","), "workers_length": String(active.count),
            KeyValue.rolloutOrder: active.joined(separator: ","),
        ]
        for (index, name) in active.enumerated() { values["worker_\(index)"] = name }
        return values
    }

    private func values(of allocation: AllocationID) -> [String: String]? {
        guard let job = job(allocation.job) else { return nil }
        let members = allocations(of: job)
        guard let index = members.firstIndex(of: allocation.worker) else { return nil }
        return [
            "\(job.job)_allocation_index": String(index),
            "peer_workers": members.filter { $0 != allocation.worker }.map(\.text).joined(separator: ","),
            "version": job.version ?? Version.none.text,
        ]
    }
}
