import ArgumentParser
import Catalog
import Commands
import Foundation
import KeyValues
import Model
import Planner
import Plans
import Review
import ThisHost
import UseCases
import Windows
import YAML

struct CertificatesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certs",
        abstract: "Makes and lists the certificates of jobs.",
        discussion: """
            A job asks for certificates by `certs` in its manifest. Only these commands and `deploy --issue-certs` make and \
            renew them. They are kept encrypted in the catalog. Deploys bring them to the workers like other files: \
            certs/NAME.crt, certs/NAME.key, and certs/ca.crt with the authorities that the bucket trusts.
            """,
        subcommands: [
            IssueCertificates.self, RenewCertificates.self, ListCertificates.self, AuthorityCommand.self,
            ForgetCertificates.self,
        ])
}

/// The jobs that a command is about.
struct CertificateJobs: ParsableArguments {
    @Option(help: ArgumentHelp("Only these jobs, separated by commas.", valueName: "a,b"))
    var jobs: String?

    func names() throws -> [JobName] { try Deploy.names(jobs, "--jobs") }
}

struct IssueCertificates: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "issue", abstract: "Makes the certificates that are missing.",
        discussion: """
            It also makes new ones if the manifest or the workers have changed. The first call makes the bucket's authority, \
            too. It does not renew what ends: see `renew`.
            """)

    @OptionGroup var selection: CertificateJobs

    @OptionGroup var bucket: BucketOptions

    func run() async throws { try await CertificateMaking(bucket).run(selection.names(), .none) }
}

struct RenewCertificates: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "renew", abstract: "Renews the certificates that end soon, and makes those that are missing.",
        discussion: """
            Soon means within `certs_renewal_buffer` days (maand.conf; by default a third of `certs_ttl`). Certificates of an \
            authority that does not sign any more are renewed, too.
            """)

    @Flag(help: "Renew all of them.")
    var all = false

    @OptionGroup var selection: CertificateJobs

    @OptionGroup var bucket: BucketOptions

    func run() async throws { try await CertificateMaking(bucket).run(selection.names(), all ? .all : .due) }
}

struct ListCertificates: ParsableCommand, JSONCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists authorities and certificates, and what is wrong with them.",
        discussion: """
            The status is ok, expiring, expired or missing. It is outdated if the certificate does not fit the manifest or the \
            workers any more, or if its authority does not sign any more. `maand-plan certs renew` makes new certificates \
            for all that are not ok; `certs ca` replaces authorities. Deployed says whether its workers have the newest one.
            """)

    @OptionGroup var selection: CertificateJobs

    @Option(help: ArgumentHelp("Only these workers, separated by commas.", valueName: "a,b"))
    var workers: String?

    @OptionGroup var options: CatalogListOptions

    var printsJSON: Bool { options.format == .json }

    func run() throws {
        let making = try CertificateMaking(options.bucket)
        let catalog = try Catalog.openReadOnly(in: options.bucket.folder, bucket: making.configuration.bucketID)
        let list = CertificateList(
            making.workspace, try catalog?.snapshot() ?? .empty, making.configuration,
            ContentStore(in: options.bucket.folder), at: Clock.system.now())
        let names = (workers ?? "").split(separator: ",").map { String($0) }
        let known = Set(making.workspace.workerNames.map(\.text))
        if let unknown = names.first(where: { !known.contains($0) }) {
            throw Failure(.usage, "--workers: there is no worker \(unknown)", "separate names by commas")
        }
        let jobs = try selection.names()
        try making.checkNames(jobs)
        let rows = list.rows(of: Set(jobs), on: Set(names))
        switch options.format {
        case .text:
            var table = TextTable([
                "scope", "job", "worker", "certificate", "common name", "not after", "days left", "status", "deployed",
            ])
            for row in rows { table.add(row.cells) }
            try printResult(Array(table.text.utf8))
        case .json: try printResult(Array(JSON.array(rows.map(\.json)).text.utf8))
        }
    }
}

struct AuthorityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ca", abstract: "Shows and replaces the bucket's certificate authority.",
        discussion: """
            A replacement takes three steps, each followed by a deploy, and no service is ever without trust: `ca new` makes \
            another authority, which all services trust after the deploy; `ca use` lets it sign, and `certs renew` renews \
            all certificates; `ca drop` ends the trust in the earlier one. A step is refused until all running services \
            have the files of the step before.
            """,
        subcommands: [ShowAuthority.self, NewAuthority.self, UseAuthority.self, DropAuthority.self])
}

struct ShowAuthority: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Prints the certificates of the authorities, for clients elsewhere.",
        discussion: "They are PEM, as in certs/ca.crt after the next deploy. No key is shown.")

    @OptionGroup var bucket: BucketOptions

    func run() throws {
        let catalog = try Catalog.openReadOnly(in: bucket.folder, bucket: try bucket.configuration().bucketID)
        let authorities = try catalog?.storedAuthorities() ?? []
        guard !authorities.isEmpty else {
            throw Failure(
                .invalidInput, "the bucket has no certificate authority", "`maand-plan certs issue` makes the first one"
            )
        }
        try printResult(Array(authorities.map(\.certificate).joined().utf8))
    }
}

struct NewAuthority: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new", abstract: "Makes another authority, which is trusted beside the one that signs.")

    @OptionGroup var bucket: BucketOptions

    func run() async throws { try await CertificateMaking(bucket).replaceAuthority(.new) }
}

struct UseAuthority: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "use",
        abstract:
            "Lets the new authority sign; refused until all running services trust it, unless the earlier one is over.")

    @OptionGroup var bucket: BucketOptions

    func run() async throws { try await CertificateMaking(bucket).replaceAuthority(.use) }
}

struct DropAuthority: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop",
        abstract:
            "Ends the trust in the earlier authority; refused until no running service has a certificate of it, unless it is over."
    )

    @OptionGroup var bucket: BucketOptions

    func run() async throws { try await CertificateMaking(bucket).replaceAuthority(.drop) }
}

struct ForgetCertificates: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget", abstract: "Gives up all certificates and authorities of a bucket whose key is lost.",
        discussion: """
            Without the key secrets/kv.key nobody can read them. `certs issue` makes new ones then; services that trust the \
            earlier authority do not trust the new one until the next deploy.
            """)

    @OptionGroup var bucket: BucketOptions

    func run() throws {
        let lock = try bucket.lock(plan: nil)
        defer { withExtendedLifetime(lock) {} }
        let catalog = try Catalog.open(in: bucket.folder, bucket: try bucket.configuration().bucketID)
        do {
            _ = try Vault.open(in: bucket.folder, of: catalog)
        } catch VaultError.lost {
            try catalog.forgetCertificates()
            return printNotice("All certificates are given up. Then: maand-plan certs issue")
        }
        throw Failure(
            .invalidInput, "the bucket's key is there, so that nothing is lost",
            "`maand-plan certs renew --all` renews all certificates, `maand-plan certs ca new` another authority")
    }
}
