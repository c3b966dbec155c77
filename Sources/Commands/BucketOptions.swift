package import ArgumentParser
package import Catalog
package import Executor
internal import Foundation
package import Model
package import Plans
internal import ThisHost
package import UseCases
internal import YAML

/// Which bucket a command is about.
package struct BucketOptions: ParsableArguments {
    @Option(help: "The bucket's directory; else $MAAND_BUCKET, else the current directory.")
    package var bucket: String?

    package init() {}

    /// The bucket in a folder.
    package init(folder: String) { bucket = folder }

    private var named: String {
        let given = bucket.flatMap { $0.isEmpty ? nil : $0 }
        return given ?? environment("MAAND_BUCKET") ?? "."
    }

    /// Absolute: what runs for a local worker does not stay in the current directory.
    package var folder: String { URL(fileURLWithPath: named).standardizedFileURL.path }

    /// A path inside the bucket as messages name it, short where the bucket is the current directory.
    package func path(_ name: String) -> String { named == "." ? name : named + "/" + name }

    /// Reads the bucket's `maand.conf`.
    ///
    /// - Throws: `Failure` if the file cannot be read; `InputFailure` if it is wrong.
    package func configuration() throws -> BucketConfiguration {
        let file = path("maand.conf")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let other = Suggestion.misspelt(names, for: ["maand.conf"]).first
        let bytes = try HostFiles.read(
            file, limit: 1 << 20,
            note: other.map { "did you mean it by \(path($0.found))? Rename that file" }
                ?? "name a bucket with --bucket, or make one with `maand-plan init`")
        return try BucketConfiguration.read(bytes, file: file)
    }

    /// Locks the bucket until the value is released.
    ///
    /// - Parameter plan: the plan that is applied meanwhile; nil for none.
    /// - Throws: `LockError`; while another process holds it, `LockError.held`.
    package func lock(plan: Digest?) throws(LockError) -> BucketLock {
        try BucketLock.acquire(in: folder, plan: plan, at: Clock.system.now())
    }

    /// What the executor works on.
    ///
    /// - Parameter observe: gets what happens, from several tasks at a time.
    package func context(
        _ configuration: BucketConfiguration, _ catalog: Catalog,
        observe: @escaping @Sendable (RunEvent) -> Void = { _ in }
    ) -> ExecutionContext {
        ExecutionContext(
            bucketFolder: folder, configuration: configuration, catalog: catalog, store: ContentStore(in: folder),
            who: ControlHost.who, controller: ControlHost.controller, clock: .system, nonce: ControlHost.nonce,
            passphrase: ControlHost.askPassphrase, observe: observe)
    }
}
