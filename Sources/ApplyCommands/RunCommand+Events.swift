import Catalog
import Executor
import Model

extension RunCommand {
    /// The log of `--events`.
    ///
    /// - Throws: `Failure` if it cannot be written, or would damage what is there.
    func eventLog(_ path: String, _ plan: Digest) throws -> EventLog {
        if path != "-" { try options.bucket.checkIsNoFileOfTheBucket(path, plan: planFile) }
        let options = options
        return try EventLog(appendingTo: path) { isLeaving in
            // By a connection of its own, so that no checkpoint waits for what is read.
            guard let catalog = try options.catalog(), let run = try catalog.latestRun(of: plan),
                isLeaving || run.state == .running
            else { return nil }
            return try RunReport(catalog, bucket: options.folder, run.id, isLeaving: isLeaving)?.document
        }
    }

    /// The process leaves the run: how it stands now is told last.
    static func end(_ updating: Task<Void, Never>?, _ log: EventLog?) async {
        updating?.cancel()
        await updating?.value
        log?.update(isLeaving: true)
    }
}
