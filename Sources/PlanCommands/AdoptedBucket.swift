import Catalog
import Commands
import Foundation
import Glibc
import KeyValues
import MaandBucket
import Model
import Planner
import Plans
import ThisHost
import UseCases
import Workers
import YAML

/// A bucket of Maand that is being taken over.
struct AdoptedBucket {
    private let bucket: BucketOptions
    /// The folder with Maand's files: the bucket's, or the one that it was copied from.
    private let source: String
    let records: MaandRecords
    private let values: [AdoptedValues.Candidate]
    private let workspace: Workspace
    let configuration: BucketConfiguration
    /// Whether `maand.conf` has the id already.
    private let isNamed: Bool

    /// Reads everything, and writes nothing.
    ///
    /// - Returns: nil if it is a bucket of these programs in which nothing of Maand is left.
    /// - Throws: `Failure` with what is missing and what to do.
    static func open(_ bucket: BucketOptions, from source: String) async throws -> AdoptedBucket? {
        let file = bucket.path("maand.conf")
        let bytes = try HostFiles.read(file, limit: 1 << 20, note: "name a bucket of Maand with --bucket or --from")
        var settings = try TOMLReader(bytes, file: file)
        let isNamed = settings.keys.contains("bucket_id")
        removeEmptyCatalog(of: bucket)
        let files = FileManager.default
        if isNamed, files.fileExists(atPath: bucket.path("maand.db")),
            !files.fileExists(atPath: "\(source)/\(MaandDatabase.file)")
        {
            return nil
        }
        if !settings.keys.contains("use_sudo") {
            throw Failure(
                .invalidInput, "\(file) does not say `use_sudo`: in Maand that means false, and here true",
                "write `use_sudo = false` into it (or true, if everything on the workers shall run as root)")
        }
        settings.ignore(settings.keys)
        return try await AdoptedBucket(bucket, from: source, bytes, isNamed: isNamed)
    }

    /// An adoption that was killed as it made the catalog has left a file without a byte.
    private static func removeEmptyCatalog(of bucket: BucketOptions) {
        let path = bucket.path("maand.db")
        if (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int == 0 { unlink(path) }
    }

    private init(_ bucket: BucketOptions, from source: String, _ bytes: [UInt8], isNamed: Bool) async throws {
        (self.bucket, self.source, self.isNamed) = (bucket, source, isNamed)
        let file = bucket.path("maand.conf")
        let known: MaandRecords?
        do throws(MaandProblem) { known = try MaandDatabase.read(in: source) } catch { throw Failure(error) }
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
        do {
            values = try AdoptedValues.candidates(
                records, from: source, try Catalog.openReadOnly(in: bucket.folder, bucket: configuration.bucketID))
        } catch let problem as MaandProblem {
            throw Failure(problem)
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
                on: Planner.workers(workspace, draft, .empty, hostKeys: try bucket.hostKeys(draft)))
        } catch let problem as MaandProblem {
            throw Failure(problem)
        }
    }

    /// Maand checks no host keys, so there may be none.
    private static func checkHostKeys(
        _ bucket: BucketOptions, _ configuration: BucketConfiguration, _ records: MaandRecords?, _ workspace: Workspace
    ) throws {
        guard configuration.transport == .ssh else { return }
        let path = configuration.secretPath(configuration.knownHosts, in: bucket.folder)
        if access(path, F_OK) == 0 { return }
        var addresses: [Int: [String]] = [:]
        let workers = Planner.workers(
            workspace, configuration, .empty, and: records?.workers ?? [], hostKeys: try bucket.hostKeys(configuration))
        for worker in workers {
            addresses[worker.ssh?.port ?? configuration.sshPort, default: []].append(worker.address)
        }
        let scans = addresses.sorted { $0.key < $1.key }.map { port, hosts in
            "ssh-keyscan \(port == 22 ? "" : "-p \(port) ")\(hosts.joined(separator: " ")) >> \(ShellText.copied(path))"
        }
        throw Failure(
            .invalidInput, "\(path) is missing: Maand does not check host keys, and here they have to be known",
            "`\(scans.joined(separator: "; "))` collects them. Compare the fingerprints (`ssh-keygen -lf \(ShellText.copied(path))`) with those of "
                + "the hosts, and repeat the command")
    }

    // MARK: Taking over

    /// What was taken over, beside allocations.
    struct Findings {
        var values: [AdoptedValues.Taken] = []
        var adoption = Adoption.Findings()
        var prepared: [JobName] = []
        /// Allocations whose templates cannot be rendered.
        var failures: [AllocationID: InputFailure] = [:]
        var silent: [(worker: WorkerName, reason: String)] { adoption.silent }

        /// Whether the next plan should have nothing to do.
        var isSettled: Bool {
            failures.isEmpty && values.allSatisfy(\.left.isEmpty) && adoption.disputed.isEmpty
                && adoption.outcomes.allSatisfy(\.taking.isAsWanted)
        }
    }

    /// Records everything in the bucket's catalog. The caller holds the lock.
    func take() async throws -> Findings {
        do throws(HostFiles.Problem) {
            for name in ["secrets", "store"] {
                try HostFiles.createMissingFolder("\(bucket.folder)/\(name)", mode: 0o700)
            }
        } catch {
            throw Failure(.failed, code: .fileNotWritten, "\(bucket.folder) cannot be written: \(error.message)")
        }
        let catalog = try Catalog.open(in: bucket.folder, bucket: configuration.bucketID)
        let deployed = Set(records.allocations.filter { $0.hash != nil || records.isLost }.map(\.id.job))
        _ = try catalog.takeOver(ids: records.workerIDs, jobs: deployed)
        var findings = Findings()
        let keeping = AdoptedValues(bucket, from: source, records, workspace, catalog)
        findings.values.append(try keeping.take(values))
        findings.values.append(try keeping.takeCertificates(try catalog.snapshot()))
        var snapshot = try catalog.snapshot()
        // They are recorded with the allocations, and files are rendered with them.
        let ports = try ports(snapshot, untouched: catalog.adopted())
        for (job, ports) in ports { snapshot.jobs[job, default: JobRecord()].assignedPorts = ports }
        let versions = Dictionary(
            records.allocations.map { ($0.id, $0.hash?.version ?? Version.none.text) }
        ) { first, _ in first }
        let content = try Planner.content(workspace, configuration, snapshot) { versions[$0] ?? Version.none.text }
        findings.failures = content.failures
        try PlanOutput.keep(content.capture, content.modules, in: ContentStore(in: bucket.folder))
        let workers = Planner.workers(
            workspace, configuration, snapshot, and: records.workers, hostKeys: try bucket.hostKeys(configuration))
        do {
            findings.adoption = try await Adoption(in: bucket.context(configuration, catalog)).take(
                .init(
                    records, from: source, workers, planned: content.trees, waves: content.waves, ports: ports,
                    snapshot: snapshot))
        } catch let problem as MaandProblem {
            throw Failure(problem)
        }
        // Maand has run these with what is there now, when it built the bucket.
        let built = Set(records.allocations.filter { !$0.isRemoved && !records.isLost }.map(\.id.job))
        for due in try Planner.dueBuilds(workspace, snapshot) where built.contains(due.job) {
            for (command, inputs) in due.inputs.sorted(by: { $0.key < $1.key }) {
                try catalog.setPrepared(due.job, command, inputs)
            }
            findings.prepared.append(due.job)
        }
        return findings
    }

    /// The ports that jobs get from Maand: as long as they have none here, or nothing of them was deployed from here.
    private func ports(
        _ snapshot: CatalogSnapshot, untouched: Set<AllocationID>
    ) -> [JobName: [String: Int]] {
        let deployed = Set(snapshot.allocations.keys.filter { !untouched.contains($0) }.map(\.job))
        return records.ports.filter { job, ports in
            let known = snapshot.jobs[job]?.assignedPorts ?? [:]
            return known != ports && (known.isEmpty || !deployed.contains(job))
        }
    }

    /// Workers of the workspace that did not answer. One that has left it may be gone.
    func missing(_ findings: Findings) -> [WorkerName] {
        findings.silent.map(\.worker).filter(workspace.workerNames.contains)
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
}

extension Failure {
    fileprivate init(_ problem: MaandProblem) { self.init(.invalidInput, problem.description) }
}

extension MaandRecords {
    /// Of a bucket whose database is lost: what the workspace says may lie on workers.
    fileprivate init(lost id: String, _ allocations: [(id: AllocationID, version: String)]) {
        self.init(bucketID: id)
        isLost = true
        self.allocations = allocations.map { .init(id: $0.id, targetVersion: $0.version) }
    }

    /// All that have, or had, an allocation.
    fileprivate var workers: Set<WorkerName> { Set(allocations.map(\.id.worker)) }
}
