import Catalog
import Model
import Planner

/// Planning from a bucket's files, as `deploy` and `verify` both do it. Nothing is written.
enum Planning {
    static func plan(
        _ bucket: BucketOptions, _ options: Plan.Options
    ) throws -> (result: PlanningResult, store: ContentStore) {
        let configuration = try bucket.configuration()
        let workspace = try Workspace.read(bucket.path("workspace"), configuration)
        let catalog = try Catalog.openReadOnly(in: bucket.folder, bucket: configuration.bucketID)?.snapshot()
        let store = ContentStore(in: bucket.folder)
        let result = try Planner.plan(
            workspace, configuration, catalog ?? .empty, trees: { try store.tree($0) },
            hostKeys: try bucket.hostKeys(configuration), options: options)
        return (result, store)
    }
}
