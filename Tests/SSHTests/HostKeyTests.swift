import Foundation
import SSH
import Testing

@Suite struct HostKeyTests {
    private func connect(_ fleet: Fleet, _ hostKeys: SSHHostKeyPolicy) async throws -> SSHConnection {
        let reactor = try SSHReactor()
        let result: Result<SSHConnection, any Error>
        do {
            result = .success(
                try await SSHConnection.connect(
                    to: fleet.endpoint(), credentials: [.key(SSHPrivateKey.load(path: fleet.key()))],
                    hostKeys: hostKeys, on: reactor))
        } catch { result = .failure(error) }
        await reactor.shutdown()
        return try result.get()
    }

    private func hosts(_ text: String) -> KnownHosts {
        var hosts = KnownHosts()
        hosts.add(text: text, file: "hosts")
        return hosts
    }

    private func publicKey(_ path: String) throws -> String {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: " ").prefix(2).joined(separator: " ")
    }

    /// A new key of a type, and its fingerprint as ssh-keygen prints it.
    private func makeKey(_ fleet: Fleet, _ type: String, _ name: String) async throws -> (
        line: String, fingerprint: String
    ) {
        let path = fleet.key(name)
        try await shell(["ssh-keygen", "-q", "-t", type, "-N", "", "-f", path])
        let listing = try await shell(["ssh-keygen", "-lf", path])
        return (try publicKey(path + ".pub"), String(listing.split(separator: " ")[1]))
    }

    @Test func anUnknownHostIsRefusedWithItsFingerprint() async throws {
        try await Fleet.with { fleet in
            let listing = try await shell(["ssh-keygen", "-lf", fleet.key("worker-1/host_key")])
            let error = await refusal { _ = try await connect(fleet, .known(KnownHosts())) }
            guard case .unknownHostKey(_, let presented, nil) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(listing.split(separator: " ")[1] == presented.fingerprint)
            #expect(error.map { "\($0)" }?.contains(presented.fingerprint) ?? false)
            // Nothing was sent that a stranger could use.
            #expect(try await fleet.counts().logins == 0)
        }
    }

    @Test func aChangedKeyIsRefusedWithTheLine() async throws {
        try await Fleet.with { fleet in
            let other = try await makeKey(fleet, "ed25519", "other")
            let text = "# comment\n\n[127.0.1.1]:\(fleet.port) \(other.line) me\n"
            let error = await refusal { _ = try await connect(fleet, .known(hosts(text))) }
            guard case .changedHostKey(_, _, let recorded, "hosts:3", _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(recorded == ["ssh-ed25519 \(other.fingerprint)"])
            // Accepting new hosts is not accepting changed ones.
            let again = await refusal {
                _ = try await connect(fleet, .acceptNew(hosts(text), record: fleet.key("recorded")))
            }
            #expect(again == error)
        }
    }

    @Test func aNewHostIsRecordedWhereThatIsAllowed() async throws {
        try await Fleet.with { fleet in
            let file = fleet.key("recorded")
            try Data("# no line break at the end".utf8).write(to: URL(filePath: file))
            let connection = try await connect(fleet, .acceptNew(KnownHosts(), record: file))
            #expect(connection.recordedHostKeyIn == file)
            let key = try publicKey(fleet.key("worker-1/host_key.pub"))
            #expect(
                try String(contentsOfFile: file, encoding: .utf8)
                    == "# no line break at the end\n[127.0.1.1]:\(fleet.port) \(key)\n")
            let again = try await connect(fleet, .acceptNew(KnownHosts(paths: [file]), record: file))
            #expect(again.recordedHostKeyIn == nil)
            // What was written is what OpenSSH reads.
            let found = try await shell(["ssh-keygen", "-F", "[127.0.1.1]:\(fleet.port)", "-f", file])
            #expect(found.contains(key))
        }
    }

    @Test func hashedNamesAndWildcardsMatch() async throws {
        try await Fleet.with { fleet in
            let file = fleet.key("hashed")
            try FileManager.default.copyItem(atPath: fleet.key("known_hosts"), toPath: file)
            try await shell(["ssh-keygen", "-q", "-H", "-f", file])
            let text = try String(contentsOfFile: file, encoding: .utf8)
            #expect(text.hasPrefix("|1|"))
            _ = try await connect(fleet, .known(hosts(text)))
            let key = try publicKey(fleet.key("worker-1/host_key.pub"))
            _ = try await connect(fleet, .known(hosts("[127.0.*]:\(fleet.port) \(key)")))
            _ = try await connect(fleet, .known(hosts("other,[127.0.1.?]:* \(key)")))
            for names in ["127.0.1.1", "[127.0.1.1]:1", "![127.0.1.1]:*,*", "[127.0.2.*]:*"] {
                let error = await refusal { _ = try await connect(fleet, .known(hosts("\(names) \(key)"))) }
                guard case .unknownHostKey = error else {
                    Issue.record("\(names): \(String(describing: error))")
                    return
                }
            }
        }
    }

    @Test func markedLines() async throws {
        try await Fleet.with { fleet in
            let key = try publicKey(fleet.key("worker-1/host_key.pub"))
            let known = try String(contentsOfFile: fleet.key("known_hosts"), encoding: .utf8)
            let revoked = await refusal { _ = try await connect(fleet, .known(hosts(known + "@revoked * \(key)\n"))) }
            guard case .revokedHostKey(_, _, "hosts:2") = revoked else {
                Issue.record("\(String(describing: revoked))")
                return
            }
            let authority = await refusal {
                _ = try await connect(fleet, .known(hosts("@cert-authority * \(key)\n")))
            }
            guard case .unknownHostKey(_, _, let note?) = authority else {
                Issue.record("\(String(describing: authority))")
                return
            }
            #expect(note.contains("hosts:1"))
        }
    }

    @Test func theRecordedTypeIsAskedFor() async throws {
        try await Fleet.with { fleet in
            // A server with a key of another type too, which would be shown if nothing was asked for.
            let path = fleet.key("ecdsa")
            let ecdsa = try await makeKey(fleet, "ecdsa", "ecdsa")
            let ed25519 = try publicKey(fleet.key("worker-1/host_key.pub"))
            let name = "[127.0.1.1]:\(fleet.port)"
            try await fleet.run(["kill", "1"])
            let configuration = fleet.key("worker-1/sshd_config")
            let text = try String(contentsOfFile: configuration, encoding: .utf8)
            try Data((text + "HostKey \(path)\n").utf8).write(to: URL(filePath: configuration))
            try await fleet.run(["start", "1"])
            #expect(try await connect(fleet, .known(hosts("\(name) \(ed25519)"))).hostKey.type == "ssh-ed25519")
            let other = try await connect(fleet, .known(hosts("\(name) \(ecdsa.line)")))
            #expect(other.hostKey.type == "ecdsa-sha2-nistp256")
            let both = hosts("\(name) \(ed25519)\n\(name) \(ecdsa.line)\n")
            let pinned = try await connect(fleet, .pinned(pins(ecdsa.fingerprint), both, record: nil))
            #expect(pinned.hostKey.fingerprint == ecdsa.fingerprint)
            #expect(both.fingerprints(for: fleet.endpoint()).contains(ecdsa.fingerprint))
        }
    }

    private func pins(_ fingerprints: String...) -> SSHPinnedKeys {
        SSHPinnedKeys(Set(fingerprints), source: "the list", renewal: "make another list")
    }

    @Test func linesMayEndAsOnWindows() async throws {
        try await Fleet.with { fleet in
            let key = try publicKey(fleet.key("worker-1/host_key.pub"))
            let name = "[127.0.1.1]:\(fleet.port)"
            _ = try await connect(fleet, .known(hosts("other \(key)\r\n\(name) \(key)\r\n")))
            for text in ["\(name) \(key)\r\n@revoked * \(key)\r\n", "\(name) \(key)\n# x\r\n@revoked * \(key)\n"] {
                let revoked = await refusal { _ = try await connect(fleet, .known(hosts(text))) }
                guard case .revokedHostKey = revoked else {
                    Issue.record("\(String(describing: revoked))")
                    return
                }
            }
        }
    }

    @Test func aPinnedKeyHasToBeKnownAsWell() async throws {
        try await Fleet.with { fleet in
            let known = try fleet.knownHosts()
            let key = try publicKey(fleet.key("worker-1/host_key.pub"))
            let name = "[127.0.1.1]:\(fleet.port)"
            let right = pins(try #require(known.fingerprints(for: fleet.endpoint()).first))
            _ = try await connect(fleet, .pinned(right, known, record: nil))
            _ = try await connect(fleet, .pinned(right, hosts("[127.0.1.*]:\(fleet.port) \(key)"), record: nil))
            let forgotten = await refusal { _ = try await connect(fleet, .pinned(right, KnownHosts(), record: nil)) }
            guard case .unknownHostKey(_, _, let note?) = forgotten else {
                Issue.record("\(String(describing: forgotten))")
                return
            }
            #expect(note.contains("the list has it"))
            let other = try await makeKey(fleet, "ed25519", "other")
            let replaced = await refusal {
                _ = try await connect(fleet, .pinned(right, hosts("\(name) \(other.line)"), record: fleet.key("new")))
            }
            guard case .changedHostKey(_, _, _, "hosts:1", _) = replaced else {
                Issue.record("\(String(describing: replaced))")
                return
            }
            let text = "\(name) \(key)\n@revoked \(name) \(key)\n"
            let revoked = await refusal { _ = try await connect(fleet, .pinned(right, hosts(text), record: nil)) }
            guard case .revokedHostKey(_, _, "hosts:2") = revoked else {
                Issue.record("\(String(describing: revoked))")
                return
            }
        }
    }

    @Test func ofAnUnknownHostOnlyThePinnedKeyIsAccepted() async throws {
        try await Fleet.with { fleet in
            let file = fleet.key("recorded")
            let right = try fleet.knownHosts().fingerprints(for: fleet.endpoint())
            let error = await refusal {
                _ = try await connect(fleet, .pinned(pins("SHA256:other"), KnownHosts(), record: file))
            }
            guard case .changedHostKey(_, _, ["SHA256:other"], "the list", let remedy) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(remedy.contains("make another list"))
            #expect(!FileManager.default.fileExists(atPath: file))
            let pinned = try await connect(
                fleet, .pinned(pins(try #require(right.first)), KnownHosts(), record: file))
            #expect(pinned.recordedHostKeyIn == file)
            #expect(try KnownHosts(paths: [file]).fingerprints(for: fleet.endpoint()) == right)
        }
    }

    @Test func aChangedKeyIsRefusedWithTheLineOfThePinnedOne() async throws {
        try await Fleet.with { fleet in
            let other = try await makeKey(fleet, "ed25519", "other")
            let text = "\n[127.0.1.1]:\(fleet.port) \(other.line)\n"
            let error = await refusal {
                _ = try await connect(fleet, .pinned(pins(other.fingerprint), hosts(text), record: nil))
            }
            guard case .changedHostKey(_, _, let recorded, "hosts:2", let remedy) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(recorded == ["ssh-ed25519 \(other.fingerprint)"])
            #expect(remedy.contains("that line and make another list"))
        }
    }

    @Test func aServerWithOtherKeyExchangesIsToldApart() async throws {
        try await Fleet.with(configuration: ["KexAlgorithms sntrup761x25519-sha512@openssh.com"]) { fleet in
            let known = try fleet.knownHosts()
            let error = await refusal { _ = try await connect(fleet, .known(known)) }
            guard case .handshake(_, let reason) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(reason.contains("no key exchange"))
            #expect(reason.contains("the server has sntrup761x25519-sha512@openssh.com; libssh2 1."))
            #expect(reason.contains("KexAlgorithms"))
            #expect(!reason.contains("known_hosts"))
        }
    }

    @Test func aServerWithoutTheRecordedTypeIsToldApart() async throws {
        try await Fleet.with { fleet in
            let ecdsa = try await makeKey(fleet, "ecdsa", "ecdsa")
            let text = "[127.0.1.1]:\(fleet.port) \(ecdsa.line)"
            let error = await refusal { _ = try await connect(fleet, .known(hosts(text))) }
            guard case .handshake(_, let reason) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(reason.contains("known_hosts has ecdsa-sha2-nistp256"))
            #expect(reason.contains("the server has ssh-ed25519"))
        }
    }
}
