import Catalog
import Commands
import Model
import Planner
import Plans
import Templates
import ThisHost
import UseCases
import Windows
import YAML

/// Planning from a bucket's files, as `deploy` and `verify` both do it. Nothing is written.
enum Planning {
    /// When a plan may run; of no concern to what it does.
    struct Timing {
        var window: MaintenanceWindow?
        var startBefore: Timestamp?
    }

    /// - Parameter export: plan against this file in place of the bucket's own catalog.
    static func plan(
        _ bucket: BucketOptions, _ request: PlanRequest, _ timing: Timing, catalog export: String? = nil
    ) throws -> (result: PlanningResult, store: ContentStore) {
        let configuration = try bucket.configuration()
        let workspace = try Workspace.read(bucket.path("workspace"), configuration)
        let store = ContentStore(in: bucket.folder)
        let exported = try export.map { try CatalogInput.read($0, bucket: configuration.bucketID) }
        let catalog =
            try exported?.snapshot
            ?? Catalog.openReadOnly(in: bucket.folder, bucket: configuration.bucketID)?.snapshot()
        try workspace.checkAddresses(catalog ?? .empty)
        let hostKeys = try bucket.hostKeys(configuration)
        var result =
            switch request {
            case .deploy(let options):
                try Planner.plan(
                    workspace, configuration, catalog ?? .empty,
                    trees: { try exported?.trees[$0] ?? deployed($0, in: store, isExported: exported != nil) },
                    files: {
                        try exported?.file($0) ?? earlierFile($0, in: store, isExported: exported != nil)
                    }, hostKeys: hostKeys, options: options)
            case .rollback(let run, let jobs):
                try Planner.planRollback(
                    of: try PastRun.read(
                        run, in: bucket.folder, bucket: configuration.bucketID, isExported: exported != nil),
                    jobs: jobs, workspace, configuration, catalog ?? .empty,
                    trees: { try deployed($0, in: store, isExported: false) },
                    files: { try earlierFile($0, in: store, isExported: false) }, hostKeys: hostKeys)
            case .operation(let verb, let options):
                try Planner.planOperation(
                    verb, options: options, workspace, configuration, catalog ?? .empty,
                    trees: { try exported?.trees[$0] ?? deployed($0, in: store, isExported: exported != nil) },
                    hostKeys: hostKeys)
            case .runCommand(let command, let options):
                try Planner.planRunCommand(
                    command, options: options, workspace, configuration, catalog ?? .empty, hostKeys: hostKeys)
            case .reboot(let rules, let options):
                try Planner.planReboot(
                    rules, options: options, workspace, configuration, catalog ?? .empty,
                    trees: { try exported?.trees[$0] ?? deployed($0, in: store, isExported: exported != nil) },
                    hostKeys: hostKeys)
            case .jobCommand(let job, let command):
                try Planner.planJobCommand(
                    command, of: job, workspace, configuration, catalog ?? .empty, hostKeys: hostKeys)
            }
        let dates = CertificateDates(
            workspace: workspace, snapshot: catalog ?? .empty, configuration: configuration, now: Clock.system.now())
        switch request {
        case .deploy(let options): try dates.check(result.plan, of: options.jobs, &result.warnings)
        case .rollback(_, let jobs): try dates.check(result.plan, of: jobs, &result.warnings)
        case .operation, .runCommand, .reboot, .jobCommand: break
        }
        result.plan.window = timing.window
        result.plan.policy.startBefore = timing.startBefore
        return (result, store)
    }

    /// A file of a release that was deployed.
    private static func earlierFile(_ file: Digest, in store: ContentStore, isExported: Bool) throws -> [UInt8] {
        do throws(StoreError) {
            return try store.read(file, limit: max(InputLimits.standard.bytes, SealedFile.maximumWritten))
        } catch {
            throw Failure(
                .failed, code: .contentMissing,
                "a file of an earlier release is not in the bucket's `store/`: \(error)",
                isExported
                    ? "export the catalog again in a bucket whose `store/` is whole"
                    : "put `store/` back from its backup, or plan without a way back (--on-failure stop)")
        }
    }

    /// The files of a release that is deployed.
    ///
    /// - Throws: `Failure` where the store has lost them: other commands need what was planned, and this what runs.
    private static func deployed(_ tree: Digest, in store: ContentStore, isExported: Bool) throws -> Tree {
        let what: String
        do throws(StoreError) {
            return try store.tree(tree)
        } catch {
            switch error {
            case .missing: what = "is missing"
            case .altered, .notATree: what = "was altered"
            case .sourceChanged, .notAFile, .tooLarge, .diskFull, .failed: throw error
            }
        }
        throw Failure(
            .failed, "the list of files that are deployed now, \(tree), \(what) in the bucket's `store/`",
            isExported
                ? "export the catalog again in a bucket whose `store/` is whole"
                : "`maand-plan catalog refresh` asks the workers for it; or put `store/` back from its backup")
    }
}

/// An export of a catalog that a user named.
enum CatalogInput {
    static func read(_ path: String, bucket: String) throws -> CatalogExport {
        let bytes = try HostFiles.read(
            path, limit: PlanFile.maximumSize,
            note: "`maand-plan catalog export` writes such a file on the host that applies")
        let export = try CatalogExport.read(bytes, file: path)
        guard export.bucket == bucket else {
            throw Failure(
                .invalidInput, "\(path) is of the bucket \(export.bucket), and this is \(bucket)",
                "name the bucket with --bucket, or export the catalog of this one")
        }
        return export
    }
}
