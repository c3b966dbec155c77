internal import Glibc
public import Model
public import Plans
internal import Windows

/// Says whether a plan is approved: policy and signatures as they are now, over the bytes that will run.
public struct ApprovalCheck: Sendable {
    private let hostPath: String
    private let operatorPath: String?
    private let bucketFolder: String
    /// Where the signatures lie; nil where nobody has named a place.
    private let signatures: String?

    /// - Parameters:
    ///   - operatorPath: `MAAND_POLICY` of the environment; nil and empty are the same.
    ///   - plan: the plan's file; signatures lie in `<plan>.sig.d` unless `signatures` names a folder. Nil where the plan
    ///     comes from elsewhere.
    public init(
        hostPath: String = EffectivePolicy.hostPath, operatorPath: String?, bucketFolder: String, plan: String?,
        signatures: String? = nil
    ) {
        self.hostPath = hostPath
        self.operatorPath = operatorPath.flatMap { $0.isEmpty ? nil : $0 }
        self.bucketFolder = bucketFolder
        self.signatures = signatures ?? plan.map { Self.folder(of: $0) }
    }

    /// Where signatures of a plan lie.
    public static func folder(of plan: String) -> String { plan + ".sig.d" }

    /// The policy that holds on this host; nil where there is none.
    ///
    /// - Throws: `ApprovalProblem`.
    public func policy() throws(ApprovalProblem) -> EffectivePolicy? {
        try EffectivePolicy.find(hostPath: hostPath, operatorPath: operatorPath, bucketFolder: bucketFolder)
    }

    /// What the policy and the signatures say of a plan.
    public struct Assessment: Sendable {
        /// The policy as it is on this host now.
        public let current: EffectivePolicy
        /// What holds: of the current policy and of the one that the run began under whatever is stricter.
        public let policy: ApprovalPolicy
        /// Whose approvals count, and what is missing.
        public let tally: ApprovalTally
    }

    /// Reads policy and signatures, and says what they are worth for a plan.
    ///
    /// - Parameters:
    ///   - recorded: the policy that the plan's run began under; nil where it has not begun, or began under none.
    ///   - isStart: the plan has not begun yet.
    /// - Returns: nil where there is no policy, and was none when the run began.
    /// - Throws: `ApprovalProblem`; `CancellationError`.
    public func assess(
        _ file: PlanFile, recorded: [UInt8]?, isStart: Bool, at now: Timestamp, tags: () throws -> KnownTags
    ) async throws -> Assessment? {
        guard let current = try policy() else {
            if recorded == nil { return nil }
            throw Self.policyIsGone
        }
        let policy = try current.tightened(by: recorded)
        let findings = try await findings(file, current, at: now)
        return Assessment(
            current: current, policy: policy,
            tally: ApprovalTally(
                findings, policy: policy, plan: file.plan, tags: policy.tags.isEmpty ? .none : try tags(), at: now,
                isStart: isStart))
    }

    private func findings(
        _ file: PlanFile, _ current: EffectivePolicy, at now: Timestamp
    ) async throws -> [SignatureFinding] {
        guard let signatures else { return [] }
        let folder = try SignatureFolder(signatures)
        if folder.entries.isEmpty { return [] }
        return try await SignatureVerifier.with(current, at: now) { verifier in
            var findings: [SignatureFinding] = []
            for entry in folder.entries {
                switch entry.content {
                case .failure(let problem):
                    findings.append(
                        SignatureFinding(file: entry.name, writtenAt: nil, verdict: .invalid("it \(problem.message)")))
                case .success(let content):
                    findings.append(
                        SignatureFinding(
                            file: entry.name, writtenAt: content.writtenAt,
                            verdict: try await verifier.verdict(of: content.bytes, over: file.bytes)))
                }
            }
            return findings
        }
    }

    /// Keys that signed a plan, of any person: for hosts without a policy.
    ///
    /// - Throws: `ApprovalProblem`; `CancellationError`.
    public func signedKeys(_ file: PlanFile) async throws -> [(file: String, writtenAt: Timestamp, key: String?)] {
        guard let signatures else { return [] }
        let folder = try SignatureFolder(signatures)
        if folder.entries.isEmpty { return [] }
        return try await SignatureVerifier.with(nil, at: .distantPast) { verifier in
            var keys: [(file: String, writtenAt: Timestamp, key: String?)] = []
            for entry in folder.entries {
                guard case .success(let content) = entry.content else { continue }
                keys.append(
                    (entry.name, content.writtenAt, try await verifier.key(of: content.bytes, over: file.bytes)))
            }
            return keys
        }
    }

    /// The user who runs this process, as `may_override` names people; the number where it has no name.
    public static var user: String {
        guard let entry = getpwuid(getuid()), let name = entry.pointee.pw_name else { return String(getuid()) }
        return String(cString: name)
    }

    /// The right of this process's user to decide in place of reviewers.
    ///
    /// - Parameters:
    ///   - what: what it is wanted for, such as `resolve`.
    ///   - recorded: the policy that the run began under, which has to give the right, too.
    /// - Throws: `ApprovalProblem` where there is a policy and it does not name the user.
    package func requireOverrideRight(for what: String, recorded: [UInt8]?) throws(ApprovalProblem) {
        guard let current = try policy() else {
            if recorded == nil { return }
            throw Self.policyIsGone
        }
        let policy = try current.tightened(by: recorded)
        if policy.mayOverride.contains(Self.user) { return }
        throw ApprovalProblem(
            "\(what) is up to whom `may_override` of \(current.path) names"
                + (recorded == nil ? "" : ", and named when the run began") + ". That is not \(Self.user).")
    }

    private static let policyIsGone = ApprovalProblem(
        "The run began under an approval policy, and this host has none any more. Put it back, or abandon the run.")
}
