import ArgumentParser
import Catalog
import Commands
import KeyValues
import Model
import Planner
import Plans
import SecretSources

struct Prepare: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Records what planning has to know of secrets.",
        discussion: """
            Planning reads no value of a secret, only its fingerprint. This command asks those who keep secrets of \
            workspace/secrets.toml, and records the fingerprints of what they give. It also finds out those of secrets that a \
            release before 0.4 has stored. Secrets that are put with `kv put` or by hooks get theirs at once.
            """)

    @OptionGroup var bucket: BucketOptions

    func run() async throws {
        let configuration = try bucket.configuration()
        let workspace = try Workspace.read(bucket.path("workspace"), configuration)
        let secrets = workspace.jobNames.flatMap(workspace.provided.secrets)
        if secrets.isEmpty, try Catalog.openReadOnly(in: bucket.folder, bucket: configuration.bucketID) == nil {
            return printNotice("There is nothing to prepare.")
        }
        let catalog = try Catalog.open(in: bucket.folder, bucket: configuration.bucketID)
        let old = try Vault.completeFingerprints(in: bucket.folder, catalog)
        if !old.isEmpty { printNotice("Recorded the fingerprints of secrets of an earlier release:", old) }
        let changed = try await record(secrets, catalog)
        if !changed.isEmpty { printNotice("Recorded new fingerprints:", changed) }
        if old.isEmpty, changed.isEmpty { printNotice("Nothing has changed.") }
    }

    /// Asks for all values, and records their fingerprints.
    ///
    /// - Returns: the secrets that have another value than before.
    private func record(
        _ secrets: [(name: SecretName, provider: SecretProvider)], _ catalog: Catalog
    ) async throws -> [SecretName] {
        let known = try catalog.snapshot().jobs
        if secrets.isEmpty, known.values.allSatisfy(\.provided.isEmpty) { return [] }
        let vault = try Vault.openOrCreate(in: bucket.folder, for: catalog)
        let sources = SecretSources(bucketFolder: bucket.folder)
        var found: [SecretName: SecretFingerprint] = [:]
        for (name, provider) in secrets {
            found[name] = try vault.fingerprint(
                of: try await sources.steadyValue(of: name, by: provider), name)
        }
        try catalog.setProvidedFingerprints(found)
        return found.keys.filter { known[$0.job]?.provided[$0.key] != found[$0] }.sorted()
    }

    private func printNotice(_ text: String, _ names: [SecretName]) {
        Commands.printNotice(text)
        for name in names { Commands.printNotice("  \(name)") }
    }

    private func printNotice(_ text: String) { Commands.printNotice(text) }
}
