internal import Model
internal import Plans

/// Compares what hooks are told.
struct FactsDifference {
    private(set) var items: [PlanDifference.Item] = []

    init(_ old: Facts?, _ new: Facts?) {
        guard let old, let new else {
            if old != nil { items.append(.init(sign: .removed, phrase: "no hook is told anything")) }
            if new != nil { items.append(.init(sign: .added, phrase: "hooks are told about the workspace")) }
            return
        }
        compare("bucket.conf", old.variables, new.variables)
        compareWorkers(old, new)
        compareJobs(old, new)
    }

    private mutating func compareWorkers(_ old: Facts, _ new: Facts) {
        var groups = WorkerGroups()
        let before = Dictionary(old.workers.map { ($0.worker, $0) }) { $1 }
        let after = Dictionary(new.workers.map { ($0.worker, $0) }) { $1 }
        for worker in old.workers {
            guard let other = after[worker.worker] else {
                groups.add(.removed, "not in workers.json:", worker.worker)
                continue
            }
            if other != worker { groups.add(.changed, "other labels, tags, names or sizes of", worker.worker) }
        }
        for worker in new.workers where before[worker.worker] == nil {
            groups.add(.added, "in workers.json:", worker.worker)
        }
        items += groups.items
        if groups.items.isEmpty, old.workers.map(\.worker) != new.workers.map(\.worker) {
            items.append(.init(sign: .changed, phrase: "order of workers.json"))
        }
    }

    private mutating func compareJobs(_ old: Facts, _ new: Facts) {
        let before = Dictionary(old.jobs.map { ($0.job, $0) }) { $1 }
        let after = Dictionary(new.jobs.map { ($0.job, $0) }) { $1 }
        for job in old.jobs where after[job.job] == nil {
            items.append(.init(sign: .removed, phrase: "the job \(job.job)"))
        }
        for job in new.jobs {
            guard let was = before[job.job] else {
                items.append(.init(sign: .added, phrase: "the job \(job.job)"))
                continue
            }
            compare("bucket.jobs.conf [\(job.job)]", was.settings, job.settings)
            compare("vars.toml of \(job.job)", was.variables, job.variables)
            var rest = was
            (rest.settings, rest.variables) = (job.settings, job.variables)
            if rest != job {
                items.append(
                    .init(sign: .changed, phrase: "version, workers, resources, ports or demands of \(job.job)"))
            }
        }
    }

    private mutating func compare(_ file: String, _ old: [String: String], _ new: [String: String]) {
        for key in Set(old.keys).union(new.keys).sorted() where old[key] != new[key] {
            let show = { (text: String?) -> Phrase in text.map { "\(quoted: $0)" } ?? "none" }
            items.append(.init(sign: .changed, phrase: "\(file): \(key): \(show(old[key])) -> \(show(new[key]))"))
        }
    }
}
