package import Model
package import Plans
package import YAML

/// What `maand-plan approvals --format json` prints: its tables.
package enum ApprovalsOutput {
    /// A signature, on a host without a policy.
    package typealias Key = (file: String, writtenAt: Timestamp, key: String?)

    /// The JSON Schema, with a line feed at its end.
    package static var schema: String {
        SchemaBook.document(
            ValueDescription.either([.object(counted.description), .object(listed.description)]),
            title: "maand-plan approvals --format json", description: "Who has approved a plan, and what is missing."
        ).text
    }

    package static func json(_ plan: PlanFile, _ found: ApprovalCheck.Assessment) -> JSON {
        counted.json((plan, found))
    }

    package static func json(_ plan: PlanFile, _ keys: [Key]) -> JSON { listed.json((plan, keys)) }

    private static var counted: OutputTable<(plan: PlanFile, found: ApprovalCheck.Assessment)> {
        OutputTable("counted", "What the policy of the host asks for, and what there is.") { fields in
            fields.required("plan", .digest, "The plan's id.", \.plan.id)
            fields.required("policy", .text, "The path of the approval policy.", \.found.current.path)
            fields.required("policy_digest", .digest, "The digest of the policy.", \.found.current.digest)
            fields.required("approved", .boolean, "Whether the plan may run.", \.found.tally.isApproved)
            fields.required("required", .count, "Approvals that the plan needs.", \.found.tally.required)
            fields.required(
                "required_because", .texts, "Jobs and workers that ask for more than every plan needs.",
                \.found.tally.reasons)
            fields.required("missing", .count, "Approvals that are missing.", \.found.tally.missing)
            fields.nullable(
                "problem", .text, "What keeps the plan from beginning, whatever approvals it has.",
                \.found.tally.planProblem)
            fields.required(
                "approvals", .list(of: .object(approval)), "Approvals that count.", \.found.tally.counted)
            fields.required(
                "not_counted", .list(of: .object(rejection)), "Files that do not count.", \.found.tally.rejected)
        }
    }

    private static var approval: OutputTable<ApprovalTally.Approval> {
        OutputTable("approval", "An approval that counts.") { fields in
            fields.required("principal", .text, "The name in `allowed_signers`.", \.principal)
            fields.required("key", .text, "The fingerprint of the key.", \.key)
            fields.required("file", .text, "The file of the signature.", \.file)
            fields.nullable("written_at", .instant, "When the file was written.", \.writtenAt)
        }
    }

    private static var rejection: OutputTable<ApprovalTally.Rejection> {
        OutputTable("rejection", "A file that does not count.") { fields in
            fields.required("file", .text, "The file.", \.file)
            fields.required("reason", .text, "Why it does not count.", \.reason)
        }
    }

    private static var listed: OutputTable<(plan: PlanFile, keys: [Key])> {
        let key = OutputTable<Key>("signature", "A file with a signature.") { fields in
            fields.required("file", .text, "The file.", \.file)
            fields.nullable("key", .text, "The key; null if the file is no signature of this plan.", \.key)
            fields.required("written_at", .instant, "When the file was written.", \.writtenAt)
        }
        return OutputTable("listed", "Signatures, if the host has no policy.") { fields in
            fields.required("plan", .digest, "The plan's id.", \.plan.id)
            fields.constant("policy", .null, "The host has no policy.")
            fields.required("signatures", .list(of: .object(key)), "", \.keys)
        }
    }
}
