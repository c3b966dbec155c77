import ArgumentParser
import Catalog
import Commands
import KeyValues
import Model
import Plans

struct RotateKey: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-key", abstract: "Replaces the bucket's key and encrypts all secrets again.",
        discussion: """
            The file secrets/kv.key gets a new key, and the old one reads nothing that is stored from now on. Values \
            and their fingerprints stay, so that no job changes. Copies of the catalog from before need the old key: keep \
            it beside them. If the command is interrupted, the next one finds the bucket with one of the two keys, whole.
            """)

    @OptionGroup var bucket: BucketOptions

    func run() throws {
        let lock = try bucket.lock(plan: nil)
        defer { withExtendedLifetime(lock) {} }
        let catalog = try Catalog.open(in: bucket.folder, bucket: try bucket.configuration().bucketID)
        if let run = try catalog.unfinishedRun() {
            throw Failure(
                .tryLater, "run \(run.id) is not over, and its hooks use the key",
                "let it end, or give it up: maand-apply abandon \(run.id) --reason '...'")
        }
        guard try catalog.keyFingerprint() != nil else {
            return printNotice("There is no key yet: the first secret makes one.")
        }
        try Vault.rotateKey(in: bucket.folder, catalog)
        printNotice("\(bucket.path(Vault.file)) has a new key. Save it as you have saved the old one.")
    }
}
