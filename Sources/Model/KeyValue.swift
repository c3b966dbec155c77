/// Where a value of the key-value store is. The names are Maand's, so that its hooks find what they look for.
public enum KVNamespace: Hashable, Sendable {
    /// `maand/bucket`: the bucket's id, its jobs, every port.
    case bucket
    /// `maand/worker`: the workers of each label.
    case workers
    /// `maand/worker/<worker>`
    case worker(WorkerName)
    /// `maand/worker/<worker>/tags`
    case tags(WorkerName)
    /// `maand/job/<job>`: what the manifest and the workers make of a job. Its key `rollout_order` can be set.
    case job(JobName)
    /// `maand/job/<job>/worker/<worker>`
    case allocation(AllocationID)
    /// `vars/bucket`: `bucket.conf`.
    case bucketVariables
    /// `vars/bucket/job/<job>`: the job's section of `bucket.jobs.conf`.
    case bucketJobVariables(JobName)
    /// `vars/job/<job>`: the job's own, from its `vars.toml`, its hooks and people.
    case variables(JobName)
    /// `secrets/job/<job>`: encrypted wherever they are stored.
    case secrets(JobName)
    /// `certs/job/<job>`: files of the job's certificates, encrypted like secrets; `maand-plan certs` writes them.
    case certificates(JobName)

    /// Reads `text`; nil where it names no namespace.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        switch parts.prefix(2) {
        case ["maand", "bucket"] where parts.count == 2: self = .bucket
        case ["maand", "worker"]:
            if parts.count == 2 {
                self = .workers
                return
            }
            guard let worker = WorkerName(parts[2]) else { return nil }
            if parts.count == 3 {
                self = .worker(worker)
            } else if parts.count == 4, parts[3] == "tags" {
                self = .tags(worker)
            } else {
                return nil
            }
        case ["maand", "job"] where parts.count > 2:
            guard let job = JobName(parts[2]) else { return nil }
            if parts.count == 3 {
                self = .job(job)
            } else if parts.count == 5, parts[3] == "worker", let worker = WorkerName(parts[4]) {
                self = .allocation(AllocationID(job: job, worker: worker))
            } else {
                return nil
            }
        case ["vars", "bucket"]:
            if parts.count == 2 {
                self = .bucketVariables
            } else if parts.count == 4, parts[2] == "job", let job = JobName(parts[3]) {
                self = .bucketJobVariables(job)
            } else {
                return nil
            }
        case ["vars", "job"]:
            guard parts.count == 3, let job = JobName(parts[2]) else { return nil }
            self = .variables(job)
        case ["secrets", "job"]:
            guard parts.count == 3, let job = JobName(parts[2]) else { return nil }
            self = .secrets(job)
        case ["certs", "job"]:
            guard parts.count == 3, let job = JobName(parts[2]) else { return nil }
            self = .certificates(job)
        case _: return nil
        }
    }

    /// As commands and hooks write it.
    public var text: String {
        switch self {
        case .bucket: "maand/bucket"
        case .workers: "maand/worker"
        case .worker(let worker): "maand/worker/\(worker)"
        case .tags(let worker): "maand/worker/\(worker)/tags"
        case .job(let job): "maand/job/\(job)"
        case .allocation(let allocation): "maand/job/\(allocation.job)/worker/\(allocation.worker)"
        case .bucketVariables: "vars/bucket"
        case .bucketJobVariables(let job): "vars/bucket/job/\(job)"
        case .variables(let job): "vars/job/\(job)"
        case .secrets(let job): "secrets/job/\(job)"
        case .certificates(let job): "certs/job/\(job)"
        }
    }

    /// Whether values here are encrypted at rest, and never shown unasked.
    public var isSecret: Bool {
        switch self {
        case .secrets, .certificates: true
        case .bucket, .workers, .worker, .tags, .job, .allocation, .bucketVariables, .bucketJobVariables, .variables:
            false
        }
    }

    /// Where a person changes the values of this namespace; nil where `maand-plan kv put` does.
    public func source(ofKey key: String) -> String? {
        switch self {
        case .variables, .secrets: nil
        case .certificates: "the job's `certs`, and `maand-plan certs` makes them"
        case .job(let job) where key == KeyValue.rolloutOrder: "the key `\(key)` of vars/job/\(job)"
        case .job, .allocation: "the job's manifest.json and workspace/workers.json"
        case .bucket: "the workspace"
        case .workers, .worker, .tags: "workspace/workers.json"
        case .bucketVariables: "workspace/bucket.conf"
        case .bucketJobVariables: "workspace/bucket.jobs.conf"
        }
    }
}

extension KVNamespace: CustomStringConvertible {
    public var description: String { text }
}

/// Rules that hold for every key and value.
public enum KeyValue {
    /// The key for the order of a job's rollout: names of workers, separated by commas. In `vars/job/<job>` it stands for
    /// every rollout; in `maand/job/<job>` hooks put it for the one in which they run.
    public static let rolloutOrder = "rollout_order"

    /// Bytes of a key, at most.
    static let maximumKey = 256
    /// Bytes of a value, at most.
    public static let maximumValue = 64 << 10
    /// Keys of one namespace, at most.
    public static let maximumKeys = 1000
    /// Versions of a key that are kept, the current one among them: as many as Maand keeps.
    public static let history = 7

    /// What is wrong with a key, as the end of a sentence; nil where nothing is.
    public static func problem(ofKey key: String) -> String? {
        if key.isEmpty { return "is empty" }
        if key.utf8.count > maximumKey { return "is longer than \(maximumKey) bytes" }
        let isVisible = key.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
            case _: true
            }
        }
        return isVisible ? nil : "contains characters that cannot be seen"
    }

    /// What is wrong with a value, as the end of a sentence that does not show it; nil where nothing is.
    public static func problem(ofValue value: String) -> String? {
        if value.isEmpty { return "is empty; delete the key instead" }
        if value.utf8.count > maximumValue { return "is larger than \(maximumValue >> 10) KiB" }
        return value.utf8.contains(0) ? "contains a NUL character" : nil
    }
}

/// An order of a job's workers that somebody has chosen.
public enum RolloutOrder {
    /// The names in a list such as `10.0.0.2, 10.0.0.1`.
    public static func names(in text: String) -> [String] {
        text.split(separator: ",").map { $0.trimmingPrefix(" ") }.map { part in
            String(part[..<(part.lastIndex { $0 != " " }.map { part.index(after: $0) } ?? part.startIndex)])
        }.filter { !$0.isEmpty }
    }

    /// `active` in the order of `text`; or why the list does not fit, as the end of a sentence. A list names every active
    /// allocation of the job, and nothing else, once; one that does not fit is never used in part.
    public static func resolve(_ text: String, active: [WorkerName]) -> Result<[WorkerName], Stale> {
        let known = Dictionary(active.map { ($0.text, $0) }, uniquingKeysWith: { first, _ in first })
        var seen = Set<String>()
        var order: [WorkerName] = []
        for name in names(in: text) {
            guard seen.insert(name).inserted else { return .failure(Stale("names \(name) twice")) }
            guard let worker = known[name] else {
                return .failure(Stale("names \(name), which is no active allocation of the job"))
            }
            order.append(worker)
        }
        if let missing = active.first(where: { !seen.contains($0.text) }) {
            return .failure(Stale(order.isEmpty ? "is empty" : "lacks \(missing)"))
        }
        return .success(order)
    }

    /// Why a list is not followed.
    public struct Stale: Error, Equatable, CustomStringConvertible {
        public let description: String

        init(_ description: String) { self.description = description }
    }
}
