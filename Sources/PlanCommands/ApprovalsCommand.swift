import Approvals
import ArgumentParser
import Catalog
import Commands
import Glibc
import Model
import Plans
import Review
import ThisHost
import UseCases
import Windows
import YAML

struct ApprovalsCommand: AsyncParsableCommand, JSONCommand {
    static let configuration = CommandConfiguration(
        commandName: "approvals",
        abstract: "Shows who has approved a plan, and what is missing.",
        discussion: """
            Reviewers sign the plan with `ssh-keygen -Y sign -n maand-plan -f KEY < FILE > FILE.sig.d/NAME.sig`. What has to \
            be approved by how many is said by the policy of this host, /etc/maand/policy.toml, or the one that MAAND_POLICY \
            names. maand-apply looks in the same way before it begins or continues.

            Exit codes: 0 approved, or this host has no policy; 65 the plan cannot be read; 77 approvals are missing, or the \
            policy or the signatures cannot be read.
            """)

    var printsJSON: Bool { format == .json }

    @Argument(help: "The plan file.", completion: .file())
    var file: String

    @Option(
        help: ArgumentHelp(
            "The folder with the signatures; without it the plan's name with `.sig.d`.", valueName: "folder"),
        completion: .directory)
    var signatures: String?

    @Option(help: "The form: text for people, json for programs.")
    var format: OutputFormat = .text

    @OptionGroup var bucket: BucketOptions

    func run() async throws {
        let plan = try PlanInput.read(file)
        let check = ApprovalCheck(
            operatorPath: environment("MAAND_POLICY"), bucketFolder: bucket.folder, plan: file == "-" ? nil : file,
            signatures: signatures)
        let assessment = try await check.assess(plan, recorded: nil, isStart: true, at: Clock.system.now()) {
            let catalog = try Catalog.openReadOnly(in: bucket.folder, bucket: plan.plan.fleet.bucket)
            let run = try catalog?.latestRun(of: plan.id).flatMap { $0.state.isUnfinished ? $0.id : nil }
            // Reviewers may have the plan alone.
            let configuration = access(bucket.path("maand.conf"), F_OK) == 0 ? try bucket.configuration() : nil
            return try KnownTags.read(bucket.folder, configuration, catalog, resumed: run)
        }
        guard let found = assessment else {
            return try showKeys(plan, try await check.signedKeys(plan))
        }
        switch format {
        case .text: try printLines(Self.lines(plan, found))
        case .json: try printResult(Array(ApprovalsOutput.json(plan, found).text.utf8))
        }
        if !found.tally.isApproved { throw ExitCode(Exit.notApproved.rawValue) }
    }

    private static func lines(_ plan: PlanFile, _ found: ApprovalCheck.Assessment) -> [String] {
        let tally = found.tally
        var lines = ["plan \(plan.id)", "policy \(found.current.path), \(found.current.digest)"]
        var table = TextTable(["", "who", "file written", "key", "file"])
        for approval in tally.counted {
            table.add([
                "✓", approval.principal, approval.writtenAt?.utcText ?? "-", approval.key,
                VisibleText.escape(approval.file, for: .terminal),
            ])
        }
        if !tally.counted.isEmpty { lines += table.text.split(separator: "\n").map(String.init) }
        for rejection in tally.rejected {
            lines.append("✗ \(rejection.file): \(rejection.reason)")
        }
        if let problem = tally.planProblem { lines.append("✗ \(problem)") }
        let reasons = tally.reasons.isEmpty ? "" : " (\(tally.reasons.joined(separator: ", ")))"
        let count = "\(tally.counted.count) of \(tally.required) approvals\(reasons)"
        lines.append(tally.missing == 0 ? "\(count)." : "\(count): \(tally.missing) missing.")
        return lines
    }

    private func showKeys(_ plan: PlanFile, _ keys: [ApprovalsOutput.Key]) throws {
        switch format {
        case .text:
            var lines = [
                "plan \(plan.id)", "This host has no approval policy, so it says nothing of whose keys these are.",
            ]
            for (name, writtenAt, key) in keys {
                let text = key.map { "signed by \($0), \(writtenAt.utcText)" } ?? "no signature of this plan"
                lines.append("\(name): \(text)")
            }
            try printLines(lines)
        case .json:
            try printResult(Array(ApprovalsOutput.json(plan, keys).text.utf8))
        }
    }

    private func printLines(_ lines: [String]) throws {
        let text = lines.map { VisibleText.escape($0, for: .terminal) + "\n" }.joined()
        try printResult(Array(text.utf8))
    }
}
