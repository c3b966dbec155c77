import Foundation
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
        #expect(throws: VaultError.lost(path: path)) { try Vault.openOrCreate(in: folder, known: vault.fingerprint) }
        try Data("maand-key-1:AAAA\n".utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        #expect(throws: VaultError.malformed(path: path)) { try Vault.open(in: folder, known: nil) }
    }

    @Test func tokensAndFingerprintsAreApart() throws {
        let vault = try Vault.openOrCreate(in: try folder(), known: nil)
        #expect(vault.token(for: "a") == vault.token(for: "a"))
        #expect(vault.token(for: "a") != vault.token(for: "b"))
        #expect(vault.token(for: "a") != vault.fingerprint(of: "a"))
        #expect(vault.token(for: "a").count == 64)
    }
}
