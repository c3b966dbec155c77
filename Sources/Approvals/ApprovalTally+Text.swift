internal import YAML

extension ApprovalTally {
    /// `1 of 2 approvals, alice`
    package var summary: String {
        let names = counted.isEmpty ? "" : ", by " + counted.map(\.principal).joined(separator: ", ")
        return planProblem ?? "\(counted.count) of \(required) approvals\(names)"
    }

    /// What is missing, for people.
    package func problem(of policy: String) -> String {
        if let planProblem { return "\(policy): \(planProblem)." }
        let names = counted.map(\.principal).joined(separator: ", ")
        let number = "\(counted.count == 1 ? "is" : "are") \(counted.count)"
        let found = counted.isEmpty ? "there is none that counts" : "there \(number), by \(names)"
        var lines = [
            "\(policy) asks for \(required) \(required == 1 ? "approval" : "approvals")"
                + (reasons.isEmpty ? "" : " (\(reasons.prefix(5).joined(separator: ", ")))") + ", and \(found)."
        ]
        lines += rejected.prefix(20).map { "  " + VisibleText.escape("\($0.file): \($0.reason)", for: .terminal) }
        lines.append(
            "  Reviewers approve with: ssh-keygen -Y sign -n \(SignatureVerifier.namespace) -f KEY < PLAN > "
                + "PLAN.sig.d/NAME.sig")
        return lines.joined(separator: "\n")
    }
}
