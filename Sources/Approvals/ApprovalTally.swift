public import Model
public import Plans
internal import Windows

/// What is known of one signature file, after `ssh-keygen` has looked at it.
public struct SignatureFinding: Equatable, Sendable {
    /// The file's name in its folder.
    public var file: String
    /// When the file was last written; nil where it could not be read. A signature itself does not say when it was made.
    public var writtenAt: Timestamp?
    /// Whose approval it is.
    public var verdict: Verdict

    /// What a signature is worth.
    public enum Verdict: Equatable, Sendable {
        /// The key signed these bytes, may approve now, and stands in the list under exactly this person's name.
        case valid(principal: String, key: String)
        /// Why the signature is nobody's approval of these bytes.
        case invalid(String)
    }

    public init(file: String, writtenAt: Timestamp?, verdict: Verdict) {
        self.file = file
        self.writtenAt = writtenAt
        self.verdict = verdict
    }
}

/// Whose approvals of a plan count, and how many are missing: a function of findings, policy, plan and time.
public struct ApprovalTally: Equatable, Sendable {
    /// One person's approval.
    public struct Approval: Equatable, Sendable {
        /// The person's name in `allowed_signers`.
        public var principal: String
        /// The key's fingerprint, `SHA256:…`.
        public var key: String
        /// The signature's file, in its folder.
        public var file: String
        /// When the file was last written, as far as it is known.
        public var writtenAt: Timestamp?
    }

    /// A signature that does not count.
    public struct Rejection: Equatable, Sendable {
        /// The signature's file, in its folder.
        public var file: String
        /// For people.
        public var reason: String
    }

    /// Approvals that the plan needs.
    public private(set) var required: Int
    /// Why it is more than what every plan needs.
    public private(set) var reasons: [String]
    /// Distinct people with distinct keys.
    public private(set) var counted: [Approval] = []
    /// The other signatures, and why they do not count.
    public private(set) var rejected: [Rejection] = []
    /// What keeps the plan from beginning, whatever approvals it has.
    public private(set) var planProblem: String?

    /// Approvals that are missing; 0 where there are enough.
    public var missing: Int { max(0, required - counted.count) }

    /// Whether the plan may run.
    public var isApproved: Bool { missing == 0 && planProblem == nil }

    /// - Parameters:
    ///   - findings: in the order of their files' names; of what counts once, the first counts.
    ///   - tags: what is known of the workers beside what the plan says.
    ///   - isStart: the plan has not begun yet.
    public init(
        _ findings: [SignatureFinding], policy: ApprovalPolicy, plan: Plan, tags: KnownTags, at now: Timestamp,
        isStart: Bool
    ) {
        (required, reasons) = policy.required(for: plan, tags)
        if isStart, let age = policy.maximumAge { planProblem = Self.problem(of: plan, maximumAge: age, now) }
        for finding in findings {
            switch finding.verdict {
            case .invalid(let reason): reject(finding, reason)
            case .valid(let principal, let key):
                if let problem = Self.ageProblem(finding.writtenAt, maximum: policy.maximumAge, now) {
                    reject(finding, problem)
                } else if let other = counted.first(where: { $0.key == key }) {
                    reject(finding, "the same key as \(other.file) (\(other.principal))")
                } else if let other = counted.first(where: { $0.principal.lowercased() == principal.lowercased() }) {
                    reject(finding, "the same person as \(other.file) (\(other.principal))")
                } else {
                    counted.append(
                        Approval(principal: principal, key: key, file: finding.file, writtenAt: finding.writtenAt))
                }
            }
        }
    }

    private mutating func reject(_ finding: SignatureFinding, _ reason: String) {
        rejected.append(Rejection(file: finding.file, reason: reason))
    }

    private static func problem(of plan: Plan, maximumAge: Int, _ now: Timestamp) -> String? {
        guard let limit = plan.policy.startBefore else {
            return "the policy has a `max_age`, and the plan does not say until when it may begin: plan again with "
                + "--start-before"
        }
        if limit > now.advanced(bySeconds: Int64(maximumAge)) {
            return "the plan may begin until \(limit.utcText), which is further away than the policy's `max_age`"
        }
        return nil
    }

    /// Clocks of machines that files are copied between differ a little.
    private static let tolerance: Int64 = 300

    private static func ageProblem(_ written: Timestamp?, maximum: Int?, _ now: Timestamp) -> String? {
        guard let maximum else { return nil }
        guard let written else { return "nobody knows when it was written" }
        if written > now.advanced(bySeconds: tolerance) { return "its file is dated \(written.utcText), in the future" }
        if written.advanced(bySeconds: Int64(maximum)) < now {
            return "of \(written.utcText), which is older than the policy's `max_age`"
        }
        return nil
    }
}
