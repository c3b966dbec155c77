import FleetScript
import Foundation
import SSH
import Testing

@Suite struct AuthenticationTests {
    private func connect(_ fleet: Fleet, _ credentials: [SSHCredential], user: String = NSUserName()) async throws {
        try await withReactor { reactor in
            let endpoint = SSHEndpoint(host: "127.0.1.1", port: fleet.port, user: user)
            let connection = try await SSHConnection.connect(
                to: endpoint, credentials: credentials, hostKeys: .known(fleet.knownHosts()), on: reactor)
            #expect(try await connection.execute("true").isSuccess)
        }
    }

    private func makeKey(_ fleet: Fleet, _ arguments: [String], isAllowed: Bool = true) async throws -> String {
        let path = fleet.key("key-\(UUID().uuidString.prefix(8))")
        try await shell(["ssh-keygen", "-q", "-f", path] + arguments)
        guard isAllowed else { return path }
        let file = try FileHandle(forWritingTo: URL(filePath: fleet.key("authorized_keys")))
        try file.seekToEnd()
        try file.write(contentsOf: Data(contentsOf: URL(filePath: path + ".pub")))
        try file.close()
        return path
    }

    @Test func anUnauthorisedKeyIsNamed() async throws {
        try await Fleet.with { fleet in
            let path = try await makeKey(fleet, ["-t", "ed25519", "-N", ""], isAllowed: false)
            let key = try await SSHPrivateKey.load(path: path)
            let error = await refusal { try await connect(fleet, [.key(key)]) }
            guard case .authentication(_, let reason) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(reason.contains(path))
            #expect(reason.contains(try #require(key.fingerprint)))
            // The next key is offered where one is refused.
            try await connect(fleet, [.key(key), .key(SSHPrivateKey.load(path: fleet.key()))])
            let none = await refusal { try await connect(fleet, []) }
            #expect(none == .authentication(fleet.endpoint(), reason: "there is no key to log in with"))
        }
    }

    @Test func aServerThatHangsUpAfterRefusalsIsNoLostConnection() async throws {
        try await Fleet.with(configuration: ["MaxAuthTries 2"]) { fleet in
            var keys: [SSHCredential] = []
            for _ in 0..<4 {
                let path = try await makeKey(fleet, ["-t", "ed25519", "-N", ""], isAllowed: false)
                keys.append(.key(try await SSHPrivateKey.load(path: path)))
            }
            let error = await refusal { try await connect(fleet, keys) }
            guard case .authentication(_, let reason) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(reason.contains("refused 2 of 4 keys"))
            #expect(reason.contains("2 more of the keys were not tried"))
            let untried = keys.suffix(2).compactMap { if case .key(let key) = $0 { key.path } else { nil } }
            #expect(untried.count == 2 && untried.allSatisfy { !reason.contains($0) })
        }
    }

    @Test func aServerWithoutKeysIsSaid() async throws {
        let configuration = ["PubkeyAuthentication no", "KbdInteractiveAuthentication yes"]
        try await Fleet.with(configuration: configuration) { fleet in
            let key = try await SSHPrivateKey.load(path: fleet.key())
            let error = await refusal { try await connect(fleet, [.key(key)]) }
            guard case .authentication = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test(arguments: [["-t", "ecdsa", "-b", "256"], ["-t", "ecdsa", "-b", "521"], ["-t", "ecdsa", "-m", "PEM"]])
    func otherKindsOfKeys(_ kind: [String]) async throws {
        try await Fleet.with { fleet in
            let path = try await makeKey(fleet, kind + ["-N", ""])
            try await connect(fleet, [.key(SSHPrivateKey.load(path: path))])
        }
    }

    @Test(.timeLimit(.minutes(15)), arguments: ["ed25519", "ecdsa"])
    func anEncryptedKeyNeedsItsPassphrase(_ type: String) async throws {
        try await Fleet.with { fleet in
            // One round, because tests are not optimised.
            let path = try await makeKey(fleet, ["-t", type, "-a", "1", "-N", "correct horse"])
            let without = await refusal { _ = try await SSHPrivateKey.load(path: path) }
            #expect(without == .passphraseNeeded(path: path))
            let wrong = await refusal { _ = try await SSHPrivateKey.load(path: path, passphrase: "battery") }
            #expect(wrong == .wrongPassphrase(path: path))
            try await connect(fleet, [.key(SSHPrivateKey.load(path: path, passphrase: "correct horse"))])
        }
    }

    @Test(.timeLimit(.minutes(15)), arguments: ["aes256-cbc", "aes128-cbc", "aes192-ctr"])
    func keysAreDecryptedWithTheCiphersOfSSHKeygen(_ cipher: String) async throws {
        try await Fleet.with { fleet in
            let path = try await makeKey(fleet, ["-t", "ed25519", "-a", "1", "-Z", cipher, "-N", "correct horse"])
            let wrong = await refusal { _ = try await SSHPrivateKey.load(path: path, passphrase: "battery") }
            #expect(wrong == .wrongPassphrase(path: path))
            try await connect(fleet, [.key(SSHPrivateKey.load(path: path, passphrase: "correct horse"))])
        }
    }

    @Test(arguments: [["-N", ""], ["-N", "secret"], ["-m", "PEM", "-N", ""], ["-m", "PKCS8", "-N", ""]])
    func rsaKeysAreRefusedAtOnce(_ form: [String]) async throws {
        try await Fleet.with { fleet in
            let path = try await makeKey(fleet, ["-t", "rsa", "-b", "2048"] + form)
            do {
                try await connect(fleet, [.key(SSHPrivateKey.load(path: path))])
            } catch let error as SSHError {
                // With libssh2 1.11 and later the key works.
                guard case .unsupportedKey(path, let reason, let remedy) = error else { throw error }
                #expect(reason.contains("RSA"))
                #expect(remedy.contains("ssh-keygen -t ed25519"))
            }
        }
    }

    @Test func certificatesAndOtherFilesAreRefusedAtOnce() async throws {
        try await Fleet.with { fleet in
            let path = try await makeKey(fleet, ["-t", "ed25519", "-N", ""])
            try await shell(["ssh-keygen", "-q", "-s", fleet.key(), "-I", "me", "-n", NSUserName(), path + ".pub"])
            let certificate = await refusal { _ = try await SSHPrivateKey.load(path: path + "-cert.pub") }
            guard case .unsupportedKey = certificate else {
                Issue.record("\(String(describing: certificate))")
                return
            }
            for (file, text) in [
                ("public", nil), ("empty", ""), ("damaged", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"),
            ] {
                let path = text == nil ? path + ".pub" : fleet.key(file)
                if let text { try Data(text.utf8).write(to: URL(filePath: path)) }
                let error = await refusal { _ = try await SSHPrivateKey.load(path: path) }
                guard case .key(path, _) = error else {
                    Issue.record("\(file): \(String(describing: error))")
                    return
                }
            }
            let missing = await refusal { _ = try await SSHPrivateKey.load(path: "/no/such/key") }
            #expect(missing == .key(path: "/no/such/key", reason: "the file does not exist"))
        }
    }

    @Test func anAgentSigns() async throws {
        try await Fleet.with { fleet in
            let socket = fleet.key("agent")
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = ["ssh-agent", "-D", "-a", socket]
            process.standardOutput = FileHandle.nullDevice
            try process.runWithoutBlockedSignals()
            defer { process.terminate() }
            #expect(try await eventually { FileManager.default.fileExists(atPath: socket) })
            let empty = await refusal { _ = try await SSHAgent.connect(socketPath: socket) }
            #expect(empty == .agent(reason: "it holds no key; add one with ssh-add"))

            let refused = try await makeKey(fleet, ["-t", "rsa", "-b", "2048", "-N", "", "-C", "old"])
            try await shell(["ssh-add", "-q", refused], environment: ["SSH_AUTH_SOCK": socket])
            if let error = await refusal({ _ = try await SSHAgent.connect(socketPath: socket) }) {
                guard case .unsupportedKey(let name, _, _) = error else {
                    Issue.record("\(error)")
                    return
                }
                #expect(name.contains("old"))
            }

            let unauthorised = try await makeKey(fleet, ["-t", "ed25519", "-N", ""], isAllowed: false)
            let ecdsa = try await makeKey(fleet, ["-t", "ecdsa", "-N", ""])
            try await shell(["ssh-add", "-q", unauthorised, ecdsa], environment: ["SSH_AUTH_SOCK": socket])
            try await connect(fleet, [.agent(SSHAgent.connect(socketPath: socket))])
            // One of them alone, chosen by its public half.
            let chosen = try #require(SSHPublicKeyFile(path: ecdsa + ".pub"))
            let one = try await SSHAgent.connect(socketPath: socket, only: chosen)
            #expect(one.identities.map(\.key.type) == ["ecdsa-sha2-nistp256"])
            try await connect(fleet, [.agent(one)])
            let notHeld = try #require(SSHPublicKeyFile(path: fleet.key() + ".pub"))
            let absentKey = await refusal { _ = try await SSHAgent.connect(socketPath: socket, only: notHeld) }
            guard case .agent(let notThere) = absentKey else {
                Issue.record("\(String(describing: absentKey))")
                return
            }
            #expect(notThere.contains(notHeld.path) && notThere.contains("ssh-add"))
            #expect(SSHPublicKeyFile(path: ecdsa) == nil)

            try await shell(["ssh-add", "-q", "-D"], environment: ["SSH_AUTH_SOCK": socket])
            try await shell(["ssh-add", "-q", fleet.key()], environment: ["SSH_AUTH_SOCK": socket])
            try await connect(fleet, [.agent(SSHAgent.connect(socketPath: socket))])

            // The agent goes away between listing and signing.
            let agent = try await SSHAgent.connect(socketPath: socket)
            try await shell(["ssh-add", "-q", "-D"], environment: ["SSH_AUTH_SOCK": socket])
            let error = await refusal { try await connect(fleet, [.agent(agent)]) }
            guard case .authentication(_, let reason) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(reason.contains("did not sign"))
        }
        let absent = await refusal { _ = try await SSHAgent.connect(socketPath: "/no/such/agent") }
        guard case .agent = absent else {
            Issue.record("\(String(describing: absent))")
            return
        }
    }
}
