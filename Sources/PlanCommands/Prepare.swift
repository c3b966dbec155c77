import Approvals
import ArgumentParser
import Catalog
import Commands
import Executor
import Foundation
import KeyValues
import Model
import Planner
import Plans
import Review
import SecretSources
import UseCases
import Windows
import Workers
import YAML

struct Prepare: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Does what has to come before planning: asks for secrets, and runs commands of post_build.",
        discussion: """
            Planning runs nothing and reads no value of a secret. This command asks the providers of \
            workspace/secrets.toml, and records the fingerprints of what they give. Then it runs the commands of post_build \
            of all jobs whose scripts, variables or workers have changed since they last ran well, jobs that others demand \
            first; each is a run of its own. A command that fails ends it. It also finds out the fingerprints of secrets \
            that a release before 0.4 has stored.
            """)

    @Flag(
        help: """
            With an approval policy on this host: run the commands of secrets.toml, which nobody has approved. Look at them \
            first.
            """)
    var runCommands = false

    @OptionGroup var bucket: BucketOptions

    func run() async throws { try await Preparation(bucket, runsCommands: runCommands).run() }
}

/// What `maand-plan prepare` and `deploy --prepare` do.
struct Preparation {
    private let bucket: BucketOptions
    private let configuration: BucketConfiguration
    private let workspace: Workspace
    /// Commands are run that nobody has approved, although plans are approved on this host.
    private let runsCommands: Bool

    init(_ bucket: BucketOptions, runsCommands: Bool = false) throws {
        self.bucket = bucket
        self.runsCommands = runsCommands
        configuration = try bucket.configuration()
        workspace = try Workspace.read(bucket.path("workspace"), configuration)
    }

    func run() async throws {
        let secrets = workspace.jobNames.flatMap(workspace.provided.secrets)
        let isNew = try Catalog.openReadOnly(in: bucket.folder, bucket: configuration.bucketID) == nil
        if isNew, secrets.isEmpty, try Planner.dueBuilds(workspace, .empty).isEmpty {
            return printNotice("There is nothing to prepare.")
        }
        let lock = try bucket.lock(plan: nil)
        defer { withExtendedLifetime(lock) {} }
        let catalog = try Catalog.open(in: bucket.folder, bucket: configuration.bucketID)
        let hasPolicy = try approval.policy() != nil
        if hasPolicy { try checkCommands(secrets) }
        let old = try Vault.completeFingerprints(in: bucket.folder, catalog)
        tell("Recorded the fingerprints of secrets of an earlier release:", old)
        if !hasPolicy { try await finishInterrupted(catalog) }
        let (changed, missing) = try await record(secrets, catalog)
        tell("Recorded new fingerprints:", changed)
        try refuse(missing, of: secrets.count)
        let due = try Planner.dueBuilds(workspace, try catalog.snapshot())
        if hasPolicy { try refuse(due) }
        for build in due {
            for command in build.commands { try await run(command, of: build.job, catalog) }
        }
        if old.isEmpty, changed.isEmpty, due.isEmpty { printNotice("Nothing has changed.") }
    }

    // MARK: Approvals

    private var approval: ApprovalCheck {
        ApprovalCheck(
            operatorPath: ProcessInfo.processInfo.environment["MAAND_POLICY"], bucketFolder: bucket.folder, plan: nil,
            signatures: nil)
    }

    /// Where plans are approved, nothing of the workspace runs that nobody has approved.
    private func checkCommands(_ secrets: [(name: SecretName, provider: SecretProvider)]) throws {
        let commands = secrets.filter { if case .command = $0.provider { true } else { false } }
        guard !runsCommands, let first = commands.first else { return }
        throw Failure(
            .notApproved,
            "an approval policy holds on this host, and \(first.provider) of workspace/secrets.toml is not approved",
            "look at the commands there; --run-commands of `maand-plan prepare` runs them")
    }

    private func refuse(_ due: [DueBuild]) throws {
        guard let first = due.first else { return }
        throw Failure(
            .notApproved,
            "an approval policy holds on this host, and \(first.commands.joined(separator: ", ")) of post_build of the job "
                + "\(first.job) is due",
            "plan it, have the plan approved, and apply it: maand-plan job-command \(first.job) \(first.commands[0]) -o FILE"
        )
    }

    private func tell(_ text: String, _ names: [SecretName]) {
        if names.isEmpty { return }
        printNotice(text)
        for name in names { printNotice("  \(name)") }
    }

    // MARK: Secrets

    /// Asks for all values, and records the fingerprints of those that are given.
    ///
    /// - Returns: the secrets that have another value than before, and those that nobody gave.
    private func record(
        _ secrets: [(name: SecretName, provider: SecretProvider)], _ catalog: Catalog
    ) async throws -> (changed: [SecretName], missing: [SecretSourceError]) {
        let known = try catalog.snapshot().jobs
        if secrets.isEmpty, known.values.allSatisfy(\.provided.isEmpty) { return ([], []) }
        let vault = try Vault.openOrCreate(in: bucket.folder, for: catalog)
        let sources = SecretSources(bucketFolder: bucket.folder)
        let values = await secrets.sideBySide(width: SecretSources.width) { secret in
            await Result { () async throws(SecretSourceError) in
                try await sources.steadyValue(of: secret.name, by: secret.provider)
            }
        }
        var found: [SecretName: SecretFingerprint] = [:]
        var missing: [SecretSourceError] = []
        for (secret, value) in zip(secrets, values) {
            switch value {
            case .success(let text): found[secret.name] = try vault.keep(text, of: secret.name, in: catalog)
            case .failure(let error):
                missing.append(error)
                found[secret.name] = known[secret.name.job]?.provided[secret.name.key]
            }
        }
        try catalog.setProvidedFingerprints(found)
        return (found.keys.filter { known[$0.job]?.provided[$0.key] != found[$0] }.sorted(), missing)
    }

    private func refuse(_ missing: [SecretSourceError], of count: Int) throws {
        guard let first = missing.first else { return }
        if missing.count == 1 { throw first }
        for error in missing { printNotice(VisibleText.escape("\(error)", for: .terminal)) }
        throw Failure(
            .failed, "\(missing.count) of \(count) secrets were not given; they are named above",
            "correct that, and prepare again; what the others gave is recorded")
    }

    // MARK: post_build

    private func run(_ command: String, of job: JobName, _ catalog: Catalog) async throws {
        printNotice("\(job): \(command)")
        let result = try Planner.planJobCommand(
            command, of: job, workspace, configuration, try catalog.snapshot(), hostKeys: bucket.hostKeys(configuration)
        )
        try PlanOutput.keep(result, in: ContentStore(in: bucket.folder))
        let context = bucket.context(configuration, catalog)
        let file = PlanFile(result.plan)
        let ending = try await ApplyRun(file, options: .init(), in: context)
            .apply(parkRequests: AsyncStream { $0.finish() })
        guard let run = try catalog.latestRun(of: file.id), run.state != .succeeded else { return }
        if case .ended(_, _, let problems, _, _) = ending { show(problems) }
        if run.state.isUnfinished {
            _ = try await DecideRun(in: context).abandon(run.id, reason: "a command of post_build has not ended well")
        }
        if case .held(_, let hold) = ending {
            throw Failure(
                .tryLater, "job \(job): \(command) of post_build was held: \(hold.reason)", "prepare again then")
        }
        throw Failure(
            .failed, "job \(job): \(command) of post_build has failed (run \(run.id))",
            "correct it, and prepare again; what ended well does not run again")
    }

    private func show(_ problems: [ApplyRun.Problem]) {
        for problem in problems {
            printNotice(VisibleText.escape("\(problem.step.id): \(problem.detail ?? "failed")", for: .terminal))
            for stream in [problem.output?.stdout, problem.output?.stderr] {
                let text = String(decoding: stream ?? [], as: UTF8.self)
                for line in text.split(whereSeparator: \.isNewline).suffix(10) {
                    printNotice("  " + VisibleText.escape(String(line), for: .terminal))
                }
            }
        }
    }

    /// A process of this command may have been killed in the middle: its run goes on first.
    private func finishInterrupted(_ catalog: Catalog) async throws {
        let store = ContentStore(in: bucket.folder)
        guard let run = try catalog.unfinishedRun(), let plan = try? store.plan(of: run),
            let (job, command, _) = plan.preparation
        else { return }
        printNotice("Run \(run.id) was interrupted, and goes on: \(job), \(command)")
        let context = bucket.context(configuration, catalog)
        _ = try? await ApplyRun(PlanFile(plan), options: .init(), in: context)
            .apply(parkRequests: AsyncStream { $0.finish() })
        // What has not ended well is run again.
        if try catalog.unfinishedRun() == nil { return }
        _ = try await DecideRun(in: context).abandon(run.id, reason: "interrupted; prepared again")
    }
}
