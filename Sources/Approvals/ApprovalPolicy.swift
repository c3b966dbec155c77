internal import Glibc
public import Model
public import Plans
public import YAML

/// Who has to approve plans, as an administrator wrote it down where authors of plans cannot write.
///
/// ```toml
/// approvals_required = 2
/// allowed_signers = "allowed_signers"     # as ssh-keygen reads it; beside the policy unless absolute
/// revocations = "revoked_keys"            # an OpenSSH KRL, or public keys
/// max_age = "7d"
/// may_override = ["root"]
///
/// [jobs]                                  # higher numbers for plans that touch these
/// payments = 3
///
/// [tags]                                  # ... or workers with these tags
/// "environment=production" = 3
/// ```
///
/// `untagged_hosts = ["web-*"]` excepts hosts that the catalog does not know yet from having every tag.
public struct ApprovalPolicy: Equatable, Sendable {
    /// Approvals that every plan needs, 0...`maximumApprovals`.
    public var approvalsRequired: Int
    /// File of the keys that may approve, and whose they are.
    public var allowedSigners: String
    /// File of keys that approve nothing any more.
    public var revocations: String?
    /// Seconds for which an approval counts, and which may lie between the start of a run and its plan's `start_before`.
    public var maximumAge: Int?
    /// Names of users of this host.
    public var mayOverride: Set<String>
    /// Approvals that plans with this job need; higher than `approvalsRequired`.
    public var jobs: [JobName: Int]
    /// Approvals that plans with a worker of this tag need; higher than `approvalsRequired`.
    public var tags: [Tag: Int]
    /// Globs of names. A worker that the catalog does not know, and of which each list has a glob, does not count as having
    /// every tag. More than one list where a run began under another policy.
    public var untaggedHosts: [[String]] = [[]]

    /// `name=value`, as in `workers.json`.
    public struct Tag: Hashable, Sendable, Comparable {
        /// Such as `environment`; `zone` is one, too. Name and value are folded, as all tags are compared.
        public var name: String
        /// Such as `production`.
        public var value: String

        init?(_ text: String) {
            let parts = text.split(separator: "=", maxSplits: 1)
            let isClean = parts.allSatisfy { $0.first?.isWhitespace == false && $0.last?.isWhitespace == false }
            guard parts.count == 2, isClean else { return nil }
            name = String(parts[0]).foldedLabel
            value = String(parts[1]).foldedLabel
        }

        public static func < (a: Self, b: Self) -> Bool { (a.name, a.value) < (b.name, b.value) }
    }

    /// The most approvals that a policy can ask for.
    static let maximumApprovals = 32
    /// Bytes of a policy that are read.
    public static let maximumSize = 64 << 10

    /// Reads a policy.
    ///
    /// - Throws: `InputFailure` with every error found.
    public static func read(_ bytes: [UInt8], file: String) throws(InputFailure) -> ApprovalPolicy {
        var reader = try TOMLReader(bytes, file: file)
        var policy = ApprovalPolicy(
            approvalsRequired: 0, allowedSigners: "", mayOverride: [], jobs: [:], tags: [:])
        if let number = reader.integer("approvals_required", in: 0...maximumApprovals) {
            policy.approvalsRequired = number
        } else if !reader.keys.contains("approvals_required") {
            reader.error("approvals_required", "is missing", note: "how many people have to approve a plan")
        }
        if let path = reader.path("allowed_signers") {
            policy.allowedSigners = path
        } else if !reader.keys.contains("allowed_signers") {
            reader.error("allowed_signers", "is missing", note: "see `man ssh-keygen`, ALLOWED SIGNERS")
        }
        policy.revocations = reader.path("revocations")
        if let text = reader.string("max_age") {
            policy.maximumAge = seconds(text)
            if policy.maximumAge == nil {
                reader.error("max_age", "is no length of time", note: "such as \"12h\" or \"7d\", at most 10 years")
            }
        }
        if let names = reader.texts("may_override") {
            if names.contains("") { reader.error("may_override", "has an empty name") }
            policy.mayOverride = Set(names)
        }
        if let globs = reader.texts("untagged_hosts") {
            if globs.contains(where: { $0.isEmpty || $0.utf8.contains(0) }) {
                reader.error("untagged_hosts", "has an empty glob", note: "such as \"web-*\"")
            }
            policy.untaggedHosts = [globs]
        }
        let least = policy.approvalsRequired + 1
        reader.section("jobs") { section in
            for key in section.keys {
                let number = section.higher(key, than: least)
                guard let job = JobName(key) else {
                    section.error(key, "is not the name of a job")
                    continue
                }
                if let number { policy.jobs[job] = number }
            }
        }
        reader.section("tags") { section in
            for key in section.keys {
                let number = section.higher(key, than: least)
                guard let tag = Tag(key) else {
                    section.error(key, "is no tag", note: "such as \"environment=production\", in quotes")
                    continue
                }
                if let number { policy.tags[tag] = max(number, policy.tags[tag] ?? 0) }
            }
        }
        try reader.finish()
        return policy
    }

    /// `45m`, `12h`, `7d` or `2w`; nil for anything else, and beyond ten years.
    private static func seconds(_ text: String) -> Int? {
        let units = ["s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400]
        guard let unit = units[String(text.suffix(1))], let number = Int(text.dropLast()), number > 0,
            text.first?.isNumber == true, number <= 3660 * 86400 / unit
        else { return nil }
        return number * unit
    }

    /// What holds for a run that began under `other` and is continued under this: of each setting what is stricter.
    /// Lists of keys are always those of this policy, so that a revoked key counts no more and a new reviewer does.
    func tightened(by other: ApprovalPolicy) -> ApprovalPolicy {
        var policy = self
        policy.approvalsRequired = max(approvalsRequired, other.approvalsRequired)
        policy.jobs.merge(other.jobs, uniquingKeysWith: max)
        policy.tags.merge(other.tags, uniquingKeysWith: max)
        policy.maximumAge = [maximumAge, other.maximumAge].compactMap(\.self).min()
        policy.mayOverride.formIntersection(other.mayOverride)
        if other.untaggedHosts != untaggedHosts { policy.untaggedHosts += other.untaggedHosts }
        return policy
    }
}

extension ApprovalPolicy {
    /// How many people have to approve a plan, and why it is more than `approvalsRequired` (empty where it is not).
    ///
    /// A worker has the tags that the plan, the workspace or the catalog gives it. One that the catalog does not know, and one
    /// that has left `workers.json`, count as having all.
    public func required(for plan: Plan, _ known: KnownTags) -> (number: Int, reasons: [String]) {
        var found: [(number: Int, reason: String)] = []
        for job in plan.touchedJobs.sorted() {
            if let number = jobs[job] { found.append((number, "job \(job)")) }
        }
        let workers =
            tags.isEmpty ? [] : plan.fleet.workers.map { (name: $0.worker, tags: known.tags(of: $0, in: plan)) }
        let isStranger = { (name: WorkerName, isKnown: Bool) in !isKnown && !isUntagged(name) }
        let removed = plan.fleet.workers.first(where: \.isRemoved)?.worker
        let stranger = workers.first { isStranger($0.name, $0.tags.isKnown) }?.name
        for (tag, number) in tags.sorted(by: { $0.key < $1.key }) {
            let what: String
            if let worker = workers.first(where: { $0.tags.values[tag.name]?.contains(tag.value) == true })?.name {
                what = "worker \(worker) (\(tag.name)=\(tag.value))"
            } else if let removed {
                what = "worker \(removed) (removed, its tags are unknown)"
            } else if let stranger {
                what =
                    "worker \(stranger) (new to the catalog and not in `untagged_hosts`, so it counts as having every tag)"
            } else {
                continue
            }
            found.append((number, what))
        }
        let number = found.map(\.number).max() ?? approvalsRequired
        return (max(number, approvalsRequired), found.filter { $0.number == number }.map(\.reason))
    }

    private func isUntagged(_ worker: WorkerName) -> Bool {
        untaggedHosts.allSatisfy { $0.contains { fnmatch($0, worker.text, 0) == 0 } }
    }
}

extension TOMLReader {
    fileprivate mutating func path(_ key: String) -> String? {
        guard let path = string(key) else { return nil }
        if path.isEmpty || path.utf8.contains(0) {
            error(key, "has to be the path of a file")
            return nil
        }
        return path
    }

    fileprivate mutating func higher(_ key: String, than least: Int) -> Int? {
        integer(key, in: least...max(least, ApprovalPolicy.maximumApprovals))
    }
}
