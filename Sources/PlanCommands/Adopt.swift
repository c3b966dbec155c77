import ArgumentParser
import Catalog
import Commands
import Foundation
import KeyValues
import MaandBucket
import Model
import Planner
import Plans
import Review
import ThisHost
import UseCases
import YAML

struct Adopt: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adopt",
        abstract: "Takes over a bucket of Maand with all that it has deployed.",
        discussion: """
            Reads Maand's database and asks the workers which files lie there. What Maand has promoted counts as promoted, with \
            its versions, ports, variables, secrets and certificates; what it began and did not end counts as unfinished. \
            Afterwards the next plan of an unchanged bucket has nothing to do.

            Workers are only asked. Of Maand's own files only maand.conf changes: it gets the line `bucket_id`, which Maand ignores. \
            The command may be repeated: what is recorded already stays as it is. A worker that does not answer is named, \
            nothing of it is recorded, and the command ends with 69.
            """)

    @Option(
        help: ArgumentHelp(
            "Copy the bucket in this directory first, and leave it as it is; --bucket is the new one.",
            valueName: "directory"))
    var from: String?

    @Flag(help: "Only say what would be taken over.")
    var dryRun = false

    @OptionGroup var bucket: BucketOptions

    func run() async throws {
        let source = from ?? bucket.folder
        if dryRun {
            let draft = try AdoptedCopy.draft(of: source)
            defer { try? FileManager.default.removeItem(atPath: draft) }
            return try await take(BucketOptions(folder: draft))
        }
        if let from { try AdoptedCopy.make(of: from, at: bucket.folder) }
        try await take(bucket)
    }

    private func take(_ bucket: BucketOptions) async throws {
        if AdoptedBucket.isOwn(bucket) {
            return printNotice(
                "\(bucket.path("maand.db")) is there and \(bucket.path("data/maand.db")) is not: nothing is left to take over."
            )
        }
        let work = try await AdoptedBucket(bucket)
        let lock = try bucket.lock(plan: nil)
        defer { withExtendedLifetime(lock) {} }
        let findings = try await work.take()
        let missing = work.missing(findings)
        // Without its id no plan can be made: it would start what runs already on the workers that did not answer.
        if !dryRun, missing.isEmpty { try work.writeFiles() }
        try printResult(Array(work.report(findings, isDryRun: dryRun).utf8))
        for (worker, reason) in findings.silent {
            printNotice("\(VisibleText.escape("\(worker): \(reason)", for: .terminal)); nothing of it is recorded")
        }
        if !missing.isEmpty {
            printNotice(
                "When these workers answer, repeat the command: it takes over what is missing. Until then no plan can be made. "
                    + "A host that is gone for good: take it out of workers.json.")
            if work.configuration.sshPort != 22 {
                printNotice(
                    "Maand always connects to port 22, whatever `ssh_port` says. If the workers' sshd has that port, write "
                        + "`ssh_port = 0` in maand.conf.")
            }
            throw ExitCode(Exit.unreachable.rawValue)
        }
        printNotice(
            dryRun
                ? "Nothing was recorded." : "Next: `maand-plan deploy -o plan.yaml`, which should have nothing to do.")
    }
}

/// Copies of buckets of Maand.
enum AdoptedCopy {
    /// What belongs to a bucket of Maand; its logs and what it makes again at each deploy are left.
    private static let parts = ["maand.conf", "workspace", "secrets", "data"]

    /// Copies a bucket into a new folder. If it is there already and is a bucket, nothing is copied.
    ///
    /// - Throws: `Failure`.
    static func make(of source: String, at folder: String) throws {
        let files = FileManager.default
        if files.fileExists(atPath: "\(folder)/maand.conf") {
            let (old, new) = (
                try MaandDatabase.read(in: source)?.bucketID, try MaandDatabase.read(in: folder)?.bucketID
            )
            if old == new { return }
            throw Failure(
                .invalidInput, "\(folder) is another bucket than \(source)", "name a new directory with --bucket")
        }
        do {
            if !files.fileExists(atPath: folder) {
                try HostFiles.createFolder(folder, mode: 0o755)
            } else if try !HostFiles.isEmpty(folder, besides: ".git") {
                throw Failure(.invalidInput, "\(folder) is not empty", "name a new directory with --bucket")
            }
            try copy(source, to: folder)
        } catch let problem as HostFiles.Problem {
            throw Failure(.failed, code: .fileNotWritten, "\(folder) cannot be made: \(problem.message)")
        }
    }

    /// A copy that nobody keeps, to try the adoption on.
    static func draft(of source: String) throws -> String {
        let folder = "\(NSTemporaryDirectory())/maand-adopt-\(UInt64.random(in: .min ... .max))"
        do throws(HostFiles.Problem) { try HostFiles.createFolder(folder, mode: 0o700) } catch {
            throw Failure(.failed, code: .fileNotWritten, "\(folder) cannot be made: \(error.message)")
        }
        try copy(source, to: folder)
        for name in ["maand.db", "maand.db-wal", "store"]
        where FileManager.default.fileExists(atPath: "\(source)/\(name)") {
            try FileManager.default.copyItem(atPath: "\(source)/\(name)", toPath: "\(folder)/\(name)")
        }
        return folder
    }

    private static func copy(_ source: String, to folder: String) throws {
        let files = FileManager.default
        for name in parts where files.fileExists(atPath: "\(source)/\(name)") {
            do {
                try files.copyItem(atPath: "\(source)/\(name)", toPath: "\(folder)/\(name)")
            } catch {
                throw Failure(
                    .failed, code: .fileNotWritten, "\(source)/\(name) cannot be copied: \(error.localizedDescription)")
            }
        }
    }
}
