import Model
import Testing
import YAML

@testable import Approvals

@Suite struct ApprovalPolicyTests {
    private static func policy(_ text: String) throws -> ApprovalPolicy {
        try ApprovalPolicy.read(
            Array("approvals_required = 2\nallowed_signers = \"a\"\n\(text)".utf8), file: "policy.toml")
    }

    @Test func everySettingIsRead() throws {
        let policy = try Self.policy(
            """
            revocations = "/etc/r"
            max_age = "2w"
            untagged_hosts = ["web-*"]
            may_override = ["root", "anna"]
            [jobs]
            payments = 3
            [tags]
            "environment=production" = 4
            """)
        let tag = try #require(ApprovalPolicy.Tag("environment=production"))
        #expect(
            policy
                == ApprovalPolicy(
                    approvalsRequired: 2, allowedSigners: "a", revocations: "/etc/r", maximumAge: 14 * 86400,
                    mayOverride: ["root", "anna"], jobs: [try #require(JobName("payments")): 3], tags: [tag: 4],
                    untaggedHosts: [["web-*"]]))
    }

    @Test func whatIsWrongIsNamedWithItsPlace() {
        for (text, place) in [
            ("max_age = \"1y\"", "policy.toml:3:1"), ("max_age = \"-1d\"", "policy.toml:3:1"),
            ("max_age = \"99999w\"", "3:1"),
            ("max_age = \"+1d\"", "3:1"), ("revocations = \"\"", "3:1"), ("may_override = [\"\"]", "3:1"),
            ("may_override = [1]", "3:1"),
            ("untagged_hosts = [\"\"]", "3:1"), ("\n[jobs]\n  \"no name\" = 3", "5:3"), ("[jobs]\nx = 2", "4:1"),
            ("[jobs]\nx = 33", "4:1"), ("[jobs.x]\ny = 3", "3:7"), ("[tags]\n\"=x\" = 3", "4:1"),
            ("[tag]\nx = 3", "3:2"),
            ("approvals_needed = 2", "3:1"), ("max_age = 3", "3:1"),
        ] {
            let failure = #expect(throws: InputFailure.self, "\(text)") { try Self.policy(text) }
            #expect(failure?.description.contains(place) == true, "\(text): \(String(describing: failure))")
        }
    }

    @Test func ofTwoPoliciesTheStricterHolds() throws {
        let old = try Self.policy(
            "max_age = \"1h\"\nmay_override = [\"a\", \"b\"]\n[jobs]\nx = 4\ny = 3\n[tags]\n\"t=1\" = 3\n")
        let new = try ApprovalPolicy.read(
            Array(
                "approvals_required = 1\nallowed_signers = \"new\"\nmay_override = [\"b\", \"c\"]\n[jobs]\nx = 2\nz = 5\n"
                    .utf8), file: "p")
        for policy in [new.tightened(by: old), old.tightened(by: new)] {
            #expect(policy.approvalsRequired == 2)
            #expect(policy.maximumAge == 3600)
            #expect(policy.mayOverride == ["b"])
            #expect(policy.jobs.values.sorted() == [3, 4, 5])
            #expect(policy.tags.count == 1)
        }
        #expect(new.tightened(by: old).allowedSigners == "new")
    }
}
