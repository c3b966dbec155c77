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
            The command may be repeated: what is recorded already stays as it is, and what only Maand has deployed since is taken \
            over again. A worker that does not answer is named, \
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
        if dryRun {
            // A copy that is there already is what would be added to.
            let isThere = from != nil && FileManager.default.fileExists(atPath: bucket.path("maand.conf"))
            let draft = try AdoptedCopy.draft(of: isThere ? bucket.folder : from ?? bucket.folder)
            defer { try? FileManager.default.removeItem(atPath: draft) }
            return try await take(BucketOptions(folder: draft), from: from ?? draft)
        }
        if let from { try AdoptedCopy.make(of: from, at: bucket.folder) }
        try await take(bucket, from: from ?? bucket.folder)
    }

    private func take(_ bucket: BucketOptions, from source: String) async throws {
        guard let work = try await AdoptedBucket.open(bucket, from: source) else {
            return printNotice(
                "\(bucket.path("maand.db")) is there and \(source)/\(MaandDatabase.file) is not: nothing is left to take over."
            )
        }
        let lock = try bucket.lock(plan: nil)
        defer { withExtendedLifetime(lock) {} }
        let findings = try await work.take()
        let missing = work.missing(findings)
        // Without its id no plan can be made: it would start what runs already on the workers that did not answer.
        if !dryRun, missing.isEmpty { try work.writeFiles() }
        let report = AdoptionReport(records: work.records, findings: findings, isDryRun: dryRun)
        try printResult(Array(report.text.utf8))
        for (worker, reason) in findings.silent {
            printNotice("\(VisibleText.escape("\(worker): \(reason)", for: .terminal)); nothing of it is recorded")
        }
        if let dispute = report.dispute { printNotice(dispute) }
        if from != nil, findings.adoption.outcomes.contains(where: \.isAgain) {
            printNotice("The workspace is not copied again: bring what has changed in \(source)/workspace to the copy.")
        }
        if !missing.isEmpty { try refuse(work.configuration) }
        let next =
            findings.isSettled
            ? "`maand-plan deploy -o plan.yaml`, which should have nothing to do."
            : "`maand-plan deploy -o plan.yaml`. It does what Maand's last build wants and no deploy has done, goes on with what is "
                + "unfinished, and shows what could not be taken over as a change."
        printNotice(dryRun ? "Nothing was recorded." : "Next: \(next)")
    }

    /// Says what to do about workers that did not answer.
    private func refuse(_ configuration: BucketConfiguration) throws {
        printNotice(
            "When these workers answer, repeat the command: it takes over what is missing. Until then no plan can be made. "
                + "A host that is gone for good: take it out of workers.json.")
        if configuration.sshPort != 22 {
            printNotice(
                "Maand always connects to port 22, whatever `ssh_port` says. If the workers' sshd has that port, write "
                    + "`ssh_port = 0` in maand.conf.")
        }
        throw ExitCode(Exit.unreachable.rawValue)
    }
}

/// Copies of buckets of Maand.
enum AdoptedCopy {
    /// What belongs to a bucket of Maand, but for its `maand.conf`; its logs and what it makes again at each deploy are left.
    private static let parts = ["workspace", "secrets", String(MaandDatabase.file.prefix { $0 != "/" })]

    /// Copies a bucket into a new folder. If it is there already and is a bucket, nothing is copied.
    ///
    /// - Throws: `Failure`.
    static func make(of source: String, at folder: String) throws {
        let files = FileManager.default
        guard files.fileExists(atPath: "\(source)/maand.conf") else {
            throw Failure(.invalidInput, "\(source) has no maand.conf, so it is no bucket")
        }
        try checkIsOutside(source, folder)
        if files.fileExists(atPath: "\(folder)/maand.conf") {
            let (old, new) = (
                try MaandDatabase.read(in: source)?.bucketID,
                try MaandDatabase.read(in: folder)?.bucketID
            )
            if old == new { return }
            throw Failure(
                .invalidInput, "\(folder) is another bucket than \(source)", "name a new directory with --bucket")
        }
        do {
            if !files.fileExists(atPath: folder) {
                try HostFiles.createFolder(folder, mode: 0o755)
            } else if try !HostFiles.isEmpty(folder, besides: ".git") {
                throw Failure(
                    .invalidInput, "\(folder) is not empty, and has no maand.conf",
                    "name a new directory with --bucket; what a copy that was interrupted has left can be removed")
            }
            for name in parts where files.fileExists(atPath: "\(source)/\(name)") {
                try copy("\(source)/\(name)", "\(folder)/\(name)")
            }
            // Last: with it the folder is a bucket.
            try copy("\(source)/maand.conf", "\(folder)/maand.conf")
        } catch let problem as HostFiles.Problem {
            throw Failure(.failed, code: .fileNotWritten, "\(folder) cannot be made: \(problem.message)")
        }
    }

    /// The original stays as it is, so the copy is neither it nor in it.
    private static func checkIsOutside(_ source: String, _ folder: String) throws {
        func real(_ path: String) -> String {
            URL(fileURLWithPath: path).resolvingSymlinksInPath().standardizedFileURL.path
        }
        guard (real(folder) + "/").hasPrefix(real(source) + "/") else { return }
        throw Failure(
            .invalidInput, "\(folder) is in \(source), which --from leaves as it is",
            "name a new directory elsewhere with --bucket, or adopt the bucket in place, without --from")
    }

    /// A folder that nobody keeps, in which the adoption is tried. Keys stay where they are: what is left of it after a kill holds
    /// none.
    static func draft(of source: String) throws -> String {
        let files = FileManager.default
        let folder = "\(NSTemporaryDirectory())/maand-adopt-\(UInt64.random(in: .min ... .max))"
        do {
            try HostFiles.createFolder(folder, mode: 0o700)
            let place = URL(fileURLWithPath: source).standardizedFileURL.path
            for name in parts where files.fileExists(atPath: "\(place)/\(name)") {
                try files.createSymbolicLink(atPath: "\(folder)/\(name)", withDestinationPath: "\(place)/\(name)")
            }
            for name in ["maand.conf", "maand.db", "maand.db-wal", "store"]
            where files.fileExists(atPath: "\(source)/\(name)") { try copy("\(source)/\(name)", "\(folder)/\(name)") }
        } catch {
            try? files.removeItem(atPath: folder)
            if let problem = error as? HostFiles.Problem {
                throw Failure(.failed, code: .fileNotWritten, "\(folder) cannot be made: \(problem.message)")
            }
            throw error
        }
        return folder
    }

    /// Copies a file or a folder with modes and links, and without owners: those may be others' here.
    private static func copy(_ source: String, _ target: String) throws {
        let files = FileManager.default
        do {
            let attributes = try files.attributesOfItem(atPath: source)
            let mode = attributes[.posixPermissions] as? Int ?? 0o644
            switch attributes[.type] as? FileAttributeType {
            case .typeDirectory?:
                try files.createDirectory(atPath: target, withIntermediateDirectories: false)
                for name in try files.contentsOfDirectory(atPath: source) {
                    try copy("\(source)/\(name)", "\(target)/\(name)")
                }
            case .typeSymbolicLink?:
                try files.createSymbolicLink(
                    atPath: target, withDestinationPath: try files.destinationOfSymbolicLink(atPath: source))
                return
            case .typeRegular?:
                try Data(contentsOf: URL(fileURLWithPath: source), options: .mappedIfSafe).write(
                    to: URL(fileURLWithPath: target), options: .withoutOverwriting)
            case _: return
            }
            try files.setAttributes([.posixPermissions: mode], ofItemAtPath: target)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(
                .failed, code: .fileNotWritten, "\(source) cannot be copied: \(error.localizedDescription)")
        }
    }
}
