import ArgumentParser
import Catalog
import Commands
import KeyValues
import Model
import Plans

struct Prepare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Records what planning has to know of secrets.",
        discussion: """
            Planning reads no value of a secret, only its fingerprint. Secrets that a release before 0.4 has stored have none: \
            this command finds them out, where the bucket's key is. Those that are put today get theirs at once.
            """)

    @OptionGroup var bucket: BucketOptions

    func run() throws {
        let id = try bucket.configuration().bucketID
        guard try Catalog.openReadOnly(in: bucket.folder, bucket: id) != nil else {
            return printNotice("There is nothing to prepare: nothing is stored here yet.")
        }
        let catalog = try Catalog.open(in: bucket.folder, bucket: id)
        let names = try Vault.completeFingerprints(in: bucket.folder, catalog)
        guard !names.isEmpty else { return printNotice("Everything is prepared.") }
        printNotice("Recorded the fingerprints of \(names.count) secrets:")
        for name in names { printNotice("  \(name)") }
    }
}
