import Catalog
import Foundation
import Model
import Plans
import Testing

@testable import KeyValues

@Suite struct VaultTests {
    private func folder() throws -> String {
        let path = NSTemporaryDirectory() + "vault-\(UInt64.random(in: .min ... .max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    private let place = Vault.Place(namespace: "secrets/job/api", key: "password", version: 3)

    @Test func whatIsSealedComesBackOnlyInItsPlace() throws {
        let vault = try Vault.openOrCreate(in: try folder(), known: nil)
        let sealed = try vault.seal("s3cret", for: place)
        #expect(try vault.open(sealed, for: place) == "s3cret")
        #expect(try vault.seal("s3cret", for: place) != sealed, "each value has a nonce of its own")
        #expect(!String(decoding: sealed, as: UTF8.self).contains("s3cret"))
        for other in [
            Vault.Place(namespace: "secrets/job/web", key: "password", version: 3),
            Vault.Place(namespace: "secrets/job/api", key: "passwor", version: 3),
            Vault.Place(namespace: "secrets/job/api", key: "password", version: 4),
        ] {
            #expect(throws: VaultError.unreadable(other)) { try vault.open(sealed, for: other) }
        }
        for index in [0, 12, sealed.count - 1] {
            var altered = sealed
            altered[index] ^= 1
            #expect(throws: VaultError.unreadable(place)) { try vault.open(altered, for: place) }
        }
        #expect(throws: VaultError.unreadable(place)) { try vault.open([], for: place) }
    }

    @Test func theKeyIsMadeOnceAndOnlyItsOwnerReadsIt() throws {
        let folder = try folder()
        #expect(try Vault.open(in: folder, known: nil) == nil)
        let vault = try Vault.openOrCreate(in: folder, known: nil)
        let sealed = try vault.seal("s3cret", for: place)
        let again = try Vault.openOrCreate(in: folder, known: vault.fingerprint)
        #expect(try again.open(sealed, for: place) == "s3cret")
        let path = folder + "/" + Vault.file
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/secrets") == ["kv.key"])
    }

    @Test func processesThatMakeTheKeyAtOnceGetTheSame() async throws {
        let folder = try folder()
        let fingerprints = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<8 { group.addTask { try Vault.openOrCreate(in: folder, known: nil).fingerprint } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(fingerprints.count == 1)
    }

    @Test func aKeyThatIsMissingExposedOrNotOursIsRefused() throws {
        let folder = try folder()
        let path = folder + "/" + Vault.file
        let vault = try Vault.openOrCreate(in: folder, known: nil)
        #expect(throws: VaultError.other(path: path)) { try Vault.open(in: folder, known: "another") }
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
        #expect(throws: VaultError.exposed(path: path, mode: "0640")) {
            try Vault.open(in: folder, known: vault.fingerprint)
        }
        try FileManager.default.removeItem(atPath: path)
        #expect(throws: VaultError.lost(path: path, secret: nil)) {
            try Vault.openOrCreate(in: folder, known: vault.fingerprint)
        }
        try Data("maand-key-1:AAAA\n".utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        #expect(throws: VaultError.malformed(path: path)) { try Vault.open(in: folder, known: nil) }
    }

    @Test func aLostKeyIsReplacedOnceNothingThatCountsNeedsIt() throws {
        let folder = try folder()
        let path = folder + "/" + Vault.file
        let catalog = try Catalog.open(in: folder, bucket: "b6f0a1de-7a55-4b6f-9d0a-0c5c6a2f9f11")
        let secrets = KVNamespace.secrets(try #require(JobName("api")))
        func write(_ key: String, _ content: KeyValueWrite.Content) throws {
            try catalog.write(KeyValueWrite(secrets, key, content), at: Timestamp(milliseconds: 0), by: "ann@control")
        }
        let first = try Vault.openOrCreate(in: folder, for: catalog)
        try FileManager.default.removeItem(atPath: path)
        // Tokens of hooks derive from it, and no secret needs it.
        let second = try Vault.openOrCreate(in: folder, for: catalog)
        #expect(second.fingerprint != first.fingerprint)
        #expect(try catalog.keyFingerprint() == second.fingerprint)
        for key in ["a", "b"] {
            try write(key, try second.write("x", to: SecretName(job: try #require(JobName("api")), key: key)))
        }
        try FileManager.default.removeItem(atPath: path)
        for key in ["a", "b"] {
            #expect(throws: VaultError.lost(path: path, secret: "\(key) of secrets/job/api")) {
                try Vault.openOrCreate(in: folder, for: catalog)
            }
            try write(key, .deletion)
        }
        let third = try Vault.openOrCreate(in: folder, for: catalog)
        #expect(try catalog.keyFingerprint() == third.fingerprint)
        #expect(try catalog.keyValue(secrets, "a")?.version == 2, "a new value gets a version that was never there")
    }

    @Test func aKeyThatIsALinkIsNamedAsOne() throws {
        let folder = try folder()
        let path = folder + "/" + Vault.file
        try FileManager.default.createDirectory(atPath: folder + "/secrets", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/etc/hostname")
        #expect(throws: VaultError.link(path: path)) { try Vault.open(in: folder, known: nil) }
    }

    /// A new key changes no fingerprint, and whatever was sealed can be opened with it alone.
    @Test(arguments: [false, true]) func aNewKeySealsEverythingAgain(isCutOff: Bool) throws {
        let folder = try folder()
        let catalog = try Catalog.open(in: folder, bucket: "b6f0a1de-7a55-4b6f-9d0a-0c5c6a2f9f11")
        let name = SecretName(job: try #require(JobName("api")), key: "password")
        let old = try Vault.openOrCreate(in: folder, for: catalog)
        func put(_ value: String, _ vault: Vault) throws {
            try catalog.write(
                KeyValueWrite(name.namespace, name.key, try vault.write(value, to: name)),
                at: Timestamp(milliseconds: 0), by: "ann@control")
        }
        try put("first", old)
        try put("second", old)
        let digest = Digest.of(Array("file".utf8))
        try catalog.keepSealedFile(digest, try old.seal("12 ab", for: .sealedFile(digest)), with: [])
        let before = try #require(try catalog.keyValue(name.namespace, name.key))
        try FileManager.default.copyItem(atPath: folder + "/" + Vault.file, toPath: folder + "/saved")
        try Vault.rotateKey(in: folder, catalog)
        if isCutOff {
            // As if it had died before the new key came to its place.
            try FileManager.default.moveItem(atPath: folder + "/" + Vault.file, toPath: folder + "/secrets/kv.key.new")
            try FileManager.default.moveItem(atPath: folder + "/saved", toPath: folder + "/" + Vault.file)
        }
        let new = try #require(try Vault.open(in: folder, known: try catalog.keyFingerprint()))
        #expect(new.fingerprint != old.fingerprint)
        let after = try #require(try catalog.keyValue(name.namespace, name.key))
        #expect(after.fingerprint == before.fingerprint && after.version == before.version)
        guard case .sealed(let sealed)? = after.value else { throw VaultError.noFingerprints }
        let place = Vault.Place(namespace: name.namespace.text, key: name.key, version: after.version)
        #expect(try new.open(sealed, for: place) == "second")
        #expect(throws: VaultError.unreadable(place)) { try old.open(sealed, for: place) }
        let file = try #require(try catalog.sealedFile(digest))
        #expect(try new.open(file, for: .sealedFile(digest)) == "12 ab")
        #expect(!FileManager.default.fileExists(atPath: folder + "/secrets/kv.key.new"))
        // Who has the old key still cannot write with it.
        #expect(throws: KeyValueError.keyReplaced) { try put("third", old) }
        let writing = try Vault.openOrCreate(in: folder, for: catalog)
        #expect(try writing.fingerprint(of: "second", name) == before.fingerprint)
    }

    @Test func fingerprintsTellValuesAndSecretsApart() throws {
        let folder = try folder()
        let catalog = try Catalog.open(in: folder, bucket: "b6f0a1de-7a55-4b6f-9d0a-0c5c6a2f9f11")
        let vault = try Vault.openOrCreate(in: folder, for: catalog)
        let job = try #require(JobName("api"))
        let (a, b) = (SecretName(job: job, key: "a"), SecretName(job: job, key: "ab"))
        #expect(try vault.fingerprint(of: "x", a) == vault.fingerprint(of: "x", a))
        #expect(try vault.fingerprint(of: "x", a) != vault.fingerprint(of: "y", a))
        #expect(try vault.fingerprint(of: "bx", a) != vault.fingerprint(of: "x", b))
        let other = try Vault.openOrCreate(in: try self.folder(), known: nil)
        #expect(throws: VaultError.noFingerprints) { try other.fingerprint(of: "x", a) }
    }

    @Test func tokensOfContextsAreApart() throws {
        let vault = try Vault.openOrCreate(in: try folder(), known: nil)
        #expect(vault.token(for: "a") == vault.token(for: "a"))
        #expect(vault.token(for: "a") != vault.token(for: "b"))
        #expect(vault.token(for: "a").count == 64)
    }
}
