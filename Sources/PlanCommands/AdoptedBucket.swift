import Catalog
import Commands
import Foundation
import Glibc
import KeyValues
import MaandBucket
import Model
import Planner
import Plans
import Review
import ThisHost
import UseCases
import Workers
import YAML

/// A bucket of Maand that is being taken over.
struct AdoptedBucket {
    private let bucket: BucketOptions
    private let records: MaandRecords
    private let workspace: Workspace
    let configuration: BucketConfiguration
    /// Whether `maand.conf` has the id already.
    private let isNamed: Bool

    /// Reads everything, and writes nothing.
    ///
    /// - Throws: `Failure` with what is missing and what to do.
    init(_ bucket: BucketOptions) async throws {
        self.bucket = bucket
        let file = bucket.path("maand.conf")
        let bytes = try HostFiles.read(file, limit: 1 << 20, note: "name a bucket of Maand with --bucket or --from")
        var settings = try TOMLReader(bytes, file: file)
        isNamed = settings.keys.contains("bucket_id")
        if !settings.keys.contains("use_sudo") {
            throw Failure(
                .invalidInput, "\(file) does not say `use_sudo`: in Maand that means false, and here true",
                "write `use_sudo = false` into it (or true, if everything on the workers shall run as root)")
        }
        settings.ignore(settings.keys)
        // Secrets that were taken over already may have another key now.
        let isDone = isNamed && FileManager.default.fileExists(atPath: "\(bucket.folder)/maand.db")
        let known = try Self.records(in: bucket.folder, withSecrets: !isDone)
        // A name that is no bucket's stands for one that is not known yet.
        let draft = try BucketConfiguration.read(bytes, file: file, adopted: known?.bucketID ?? "-")
        workspace = try Workspace.read(bucket.path("workspace"), draft)
        try Self.checkHostKeys(bucket, draft, known, workspace)
        if let known {
            (records, configuration) = (known, draft)
        } else {
            let id = isNamed ? draft.bucketID : try await Self.lostID(bucket, draft, workspace)
            configuration = try BucketConfiguration.read(bytes, file: file, adopted: id)
            records = MaandRecords(lost: id, workspace.allocations)
        }
        guard configuration.bucketID == records.bucketID else {
            throw Failure(
                .invalidInput,
                "\(file) names the bucket \(configuration.bucketID), and \(MaandDatabase.file) is of \(records.bucketID)",
                "take the line `bucket_id` out of maand.conf if it was not made by this command")
        }
    }

    /// Whether the folder is a bucket of these programs, in which nothing of Maand is left.
    static func isOwn(_ bucket: BucketOptions) -> Bool {
        let files = FileManager.default
        let conf = (try? InputFile.read("\(bucket.folder)/maand.conf", limit: 1 << 20)) ?? []
        let isNamed = (try? TOMLReader(conf, file: "maand.conf"))?.keys.contains("bucket_id") == true
        return isNamed && files.fileExists(atPath: "\(bucket.folder)/maand.db")
            && !files.fileExists(atPath: "\(bucket.folder)/\(MaandDatabase.file)")
    }

    private static func records(in folder: String, withSecrets: Bool) throws -> MaandRecords? {
        do throws(MaandProblem) {
            return try MaandDatabase.read(in: folder, withSecrets: withSecrets)
        } catch {
            throw Failure(.invalidInput, error.description)
        }
    }

    /// Asks the workers which bucket it is.
    private static func lostID(
        _ bucket: BucketOptions, _ draft: BucketConfiguration, _ workspace: Workspace
    ) async throws -> String {
        // Nothing is recorded, so there is nothing to open.
        let context = bucket.context(draft, try Catalog.inMemory(bucket: draft.bucketID))
        do {
            return try await Adoption(in: context).findBucket(
                on: workers(bucket, draft, MaandRecords(bucketID: "-"), workspace, .empty))
        } catch let problem as MaandProblem {
            throw Failure(.invalidInput, problem.description)
        }
    }

    /// Workers that Maand knows, and those of the workspace.
    private static func workers(
        _ bucket: BucketOptions, _ configuration: BucketConfiguration, _ records: MaandRecords, _ workspace: Workspace,
        _ snapshot: CatalogSnapshot
    ) throws -> [PlanWorker] {
        let hostKeys = try bucket.hostKeys(configuration)
        var workers = Planner.workers(workspace, configuration, snapshot, hostKeys: hostKeys)
        let known = Set(workers.map(\.worker))
        for name in Set(records.allocations.map(\.id.worker)).subtracting(known).sorted() {
            var worker = PlanWorker(
                worker: name, address: name.text,
                ssh: .init(port: configuration.sshPort, user: configuration.sshUser, hostKeys: []))
            worker.ssh?.hostKeys = hostKeys(name.text, configuration.sshPort, configuration.sshUser)
            worker.isRemoved = true
            workers.append(worker)
        }
        return workers
    }

    /// Maand checks no host keys, so there may be none.
    private static func checkHostKeys(
        _ bucket: BucketOptions, _ configuration: BucketConfiguration, _ records: MaandRecords?, _ workspace: Workspace
    ) throws {
        guard configuration.transport == .ssh else { return }
        let path = configuration.secretPath(configuration.knownHosts, in: bucket.folder)
        if access(path, F_OK) == 0 { return }
        var addresses: [Int: [String]] = [:]
        let known = records ?? MaandRecords(bucketID: "-")
        for worker in try workers(bucket, configuration, known, workspace, .empty) {
            addresses[worker.ssh?.port ?? configuration.sshPort, default: []].append(worker.address)
        }
        let scans = addresses.sorted { $0.key < $1.key }.map { port, hosts in
            "ssh-keyscan \(port == 22 ? "" : "-p \(port) ")\(hosts.joined(separator: " ")) >> \(path)"
        }
        throw Failure(
            .invalidInput, "\(path) is missing: Maand does not check host keys, and here they have to be known",
            "`\(scans.joined(separator: "; "))` collects them. Compare the fingerprints (`ssh-keygen -lf \(path)`) with those of "
                + "the hosts, and repeat the command")
    }

    // MARK: Taking over

    /// What was taken over, beside allocations.
    struct Findings {
        var values: [(what: String, taken: Int, left: [String])] = []
        var adoption = Adoption.Findings()
        var prepared: [JobName] = []
        /// Allocations whose templates cannot be rendered.
        var failures: [AllocationID: InputFailure] = [:]
        var silent: [(worker: WorkerName, reason: String)] { adoption.silent }
    }

    /// Records everything in the bucket's catalog. The caller holds the lock.
    func take() async throws -> Findings {
        try makeFolders()
        removeEmptyCatalog()
        let catalog = try Catalog.open(in: bucket.folder, bucket: configuration.bucketID)
        let deployed = Set(records.allocations.filter { $0.hash != nil || records.isLost }.map(\.id.job))
        _ = try catalog.takeOver(ids: records.workerIDs, jobs: deployed)
        var findings = Findings()
        let keeping = AdoptedValues(bucket, records, workspace, catalog)
        findings.values.append(try keeping.takeValues())
        findings.values.append(try keeping.takeCertificates())
        var snapshot = try catalog.snapshot()
        // They are recorded with the allocations, and files are rendered with them.
        for (job, ports) in records.ports where snapshot.jobs[job]?.assignedPorts.isEmpty ?? true {
            snapshot.jobs[job, default: JobRecord()].assignedPorts = ports
        }
        let versions = Dictionary(
            records.allocations.map { ($0.id, $0.hash?.version ?? Version.none.text) }
        ) { first, _ in first }
        let content = try Planner.content(workspace, configuration, snapshot) { versions[$0] ?? Version.none.text }
        findings.failures = content.failures
        try PlanOutput.keep(content.capture, content.modules, in: ContentStore(in: bucket.folder))
        let context = bucket.context(configuration, catalog)
        findings.adoption = try await Adoption(in: context).take(
            records, try Self.workers(bucket, configuration, records, workspace, snapshot),
            planned: content.trees, waves: content.waves)
        // Maand has run these with what is there now.
        for due in try Planner.dueBuilds(workspace, try catalog.snapshot())
        where deployed.contains(due.job) && !records.isLost {
            for (command, inputs) in due.inputs.sorted(by: { $0.key < $1.key }) {
                try catalog.setPrepared(due.job, command, inputs)
            }
            findings.prepared.append(due.job)
        }
        return findings
    }

    /// Workers of the workspace that did not answer. One that has left it may be gone.
    func missing(_ findings: Findings) -> [WorkerName] {
        findings.silent.map(\.worker).filter(workspace.workerNames.contains)
    }

    /// An adoption that was killed as it made the catalog has left a file without a byte.
    private func removeEmptyCatalog() {
        let path = "\(bucket.folder)/maand.db"
        if (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int == 0 { unlink(path) }
    }

    private func makeFolders() throws {
        do throws(HostFiles.Problem) {
            for name in ["secrets", "store"] where access("\(bucket.folder)/\(name)", F_OK) != 0 {
                try HostFiles.createFolder("\(bucket.folder)/\(name)", mode: 0o700)
            }
        } catch {
            throw Failure(.failed, code: .fileNotWritten, "\(bucket.folder) cannot be written: \(error.message)")
        }
    }

    /// Writes the id into `maand.conf`, last of all, and what git has to know of a bucket.
    func writeFiles() throws {
        let path = "\(bucket.folder)/maand.conf"
        do throws(HostFiles.Problem) {
            for (name, text) in BucketTemplate(transport: .ssh).git {
                _ = try HostFiles.write(Array(text.utf8), to: "\(bucket.folder)/\(name)", overwrite: false)
            }
            if isNamed { return }
            let line = "bucket_id = \"\(configuration.bucketID)\"\n"
            let bytes = (try? InputFile.read(path, limit: 1 << 20)) ?? []
            // First: behind a table the line would belong to that.
            var status = stat()
            let isKnown = stat(path, &status) == 0
            _ = try HostFiles.write(Array(line.utf8) + bytes, to: path, overwrite: true)
            // It is Maand's, too.
            if isKnown {
                _ = chmod(path, status.st_mode & 0o7777)
                _ = chown(path, status.st_uid, status.st_gid)
            }
        } catch {
            throw Failure(
                .failed, code: .fileNotWritten, "\(path) was not written: \(error.message)",
                "write `bucket_id = \"\(configuration.bucketID)\"` as its first line")
        }
    }

    /// Whether the next plan should have nothing to do.
    static func isSettled(_ findings: Findings) -> Bool {
        findings.failures.isEmpty && findings.values.allSatisfy(\.left.isEmpty)
            && findings.adoption.outcomes.allSatisfy {
                switch $0.taking.standing {
                case .promoted, .stopped, .nothing: true
                case .unfinished, .begun: false
                }
            }
    }

    // MARK: Report

    /// The table of what was taken over, and what was not and why.
    func report(_ findings: Findings, isDryRun: Bool) -> String {
        var table = TextTable(["job", "worker", isDryRun ? "would be" : "recorded", "version", "why"])
        for outcome in findings.adoption.outcomes {
            let taking = outcome.taking
            table.add([
                outcome.allocation.job.text, outcome.allocation.worker.text, taking.standing.word,
                taking.standing == Taking.Standing.begun ? taking.targetVersion : taking.version,
                taking.standing.reason ?? taking.reason,
            ])
        }
        var lines = findings.adoption.outcomes.isEmpty ? "" : table.text
        if findings.adoption.known > 0 {
            lines += "\(findings.adoption.known) allocations were recorded before, and stay as they are.\n"
        }
        for (what, taken, left) in findings.values {
            lines += "\(what): \(taken) taken over\n"
            for text in left { lines += "  not taken over: \(VisibleText.escape(text, for: .terminal))\n" }
        }
        if records.isLost {
            lines +=
                "\(MaandDatabase.file) is lost, and with it all ports, variables, secrets and certificates: new ports are assigned\n"
        }
        lines += "ports: \(records.ports.values.reduce(0) { $0 + $1.count }), as Maand assigned them\n"
        if !findings.prepared.isEmpty {
            lines += "post_build: counts as run for \(findings.prepared.map(\.text).joined(separator: ", "))\n"
        }
        for name in records.strangeNames {
            lines += "not taken over: \(VisibleText.quote(name)) cannot be the name of a job or worker here\n"
        }
        for (allocation, failure) in findings.failures.sorted(by: { $0.key < $1.key }) {
            let reason = "\(failure)".split(separator: "\n").first.map(String.init) ?? ""
            lines += "\(allocation): \(VisibleText.escape(reason, for: .terminal))\n"
        }
        return lines
    }
}

extension MaandRecords {
    /// Of a bucket whose database is lost: what the workspace says may lie on workers.
    fileprivate init(lost id: String, _ allocations: [(id: AllocationID, version: String)]) {
        self.init(bucketID: id)
        isLost = true
        self.allocations = allocations.map { .init(id: $0.id, targetVersion: $0.version) }
    }
}

extension Taking.Standing {
    fileprivate var word: String {
        switch self {
        case .promoted: "promoted"
        case .stopped: "stopped"
        case .unfinished, .begun: "unfinished"
        case .nothing: "-"
        }
    }

    /// Why nothing is taken over; nil if something is.
    fileprivate var reason: String? {
        if case .nothing(let reason) = self { reason } else { nil }
    }
}
