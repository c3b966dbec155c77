import ArgumentParser
import Catalog
import Commands
import Model
import Plans
import Windows

struct BackUpCatalog: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copies maand.db into a file, also while an apply runs.",
        discussion: """
            To go back to it: make sure that no apply runs, move maand.db, maand.db-wal and maand.db-shm away, and copy the \
            backup to maand.db. A worker that has seen a later run refuses the next apply, until --take-over says that \
            the database is meant to be older.
            """)

    @Argument(help: "The file to write; it must not be there yet.")
    var file: String

    @OptionGroup var bucket: BucketOptions

    func run() throws {
        let id = try bucket.configuration().bucketID
        guard let catalog = try Catalog.openReadOnly(in: bucket.folder, bucket: id) else {
            throw Failure(
                .invalidInput, "\(bucket.path(Catalog.fileName)) is not there yet", "nothing was ever applied here")
        }
        try catalog.backUp(to: file)
        printNotice("Wrote \(file).")
    }
}

struct CollectStore: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        abstract: "Removes what the store no longer needs.",
        discussion: """
            Kept are the contents of what runs or has begun anywhere and of what was promoted there before, the plans of \
            the last 100 runs, and everything that was planned lately. A plan whose contents are gone can still be applied where the workspace that it was \
            made from is checked out.
            """)

    @Option(help: ArgumentHelp("What was planned in so many days stays, 0 to 3650.", valueName: "days"))
    var olderThan = 30

    @Flag(help: "Only say what would be removed.")
    var dryRun = false

    @OptionGroup var bucket: BucketOptions

    /// Runs whose plan files stay, so that `maand-apply status` and `history` can tell their steps.
    private static let keptRuns = 100

    func validate() throws {
        guard (0...3650).contains(olderThan) else { throw ValidationError("--older-than takes 0 to 3650 days.") }
    }

    func run() throws {
        let id = try bucket.configuration().bucketID
        guard let catalog = try Catalog.openReadOnly(in: bucket.folder, bucket: id) else {
            return printNotice("Nothing was ever applied here, so nothing is removed.")
        }
        let store = ContentStore(in: bucket.folder)
        let runs = try catalog.runs(limit: Self.keptRuns)
        var needed = Set(runs.map(\.plan) + runs.compactMap(\.wayBack))
        needed.formUnion(try catalog.previousContents())
        if let run = try catalog.unfinishedRun() {
            let plan = try store.plan(of: run)
            needed.formUnion(contents(of: plan) + (plan.wholeWayBack.map(contents) ?? []))
        }
        for id in Set(try catalog.latestDeployments().values) {
            // Their health checks are asked on demand.
            guard let run = try catalog.run(id), let plan = try? store.plan(of: run) else { continue }
            needed.formUnion([run.plan] + plan.modules.map(\.tree))
        }
        for record in try catalog.snapshot().allocations.values {
            for release in [record.promoted, record.unfinished, record.drifted].compactMap({ $0 }) {
                needed.insert(release.content)
            }
        }
        let youngest = Int(Timestamp.now.seconds) - olderThan * 86400
        let found = try store.collect(
            needed: needed, youngerThan: youngest + (olderThan == 0 ? 1 : 0), isDryRun: dryRun)
        if !dryRun, found.objects > 0 {
            try Catalog.open(in: bucket.folder, bucket: id).forgetSealedFiles(except: store.contains)
        }
        printNotice(
            "\(dryRun ? "Would remove" : "Removed") \(found.objects) objects (\(Self.size(found.bytes))); "
                + "\(found.kept) are kept.")
    }

    /// Such as `0 bytes`, `917 bytes` or `12 MiB`; rounded up.
    private static func size(_ bytes: Int) -> String {
        if bytes < 1 << 10 { return bytes == 1 ? "1 byte" : "\(bytes) bytes" }
        let (shift, unit) = bytes < 1 << 20 ? (10, "KiB") : bytes < 1 << 30 ? (20, "MiB") : (30, "GiB")
        return "\((bytes + (1 << shift) - 1) >> shift) \(unit)"
    }

    /// The trees that an unfinished run still pushes or runs hooks from.
    private func contents(of plan: Plan) -> [Digest] {
        var contents = plan.waves.flatMap(\.jobs).flatMap(\.content).map(\.tree) + plan.modules.map(\.tree)
        if case .runCommand(let command) = plan.work, let script = command.command.script {
            contents.append(script.digest)
        }
        return contents
    }
}
