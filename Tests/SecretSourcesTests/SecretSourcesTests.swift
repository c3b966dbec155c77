import Foundation
import Model
import Plans
import Testing

@testable import SecretSources

@Suite struct SecretSourcesTests {
    private let folder = NSTemporaryDirectory() + "sources-\(UInt64.random(in: .min ... .max))"

    private func sources(_ environment: [String: String] = [:], limit: Int = 30) throws -> SecretSources {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var environment = environment
        environment["PATH"] = folder + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "")
        return SecretSources(bucketFolder: folder, environment: environment, timeLimit: limit)
    }

    private func name() throws -> SecretName { SecretName(job: try #require(JobName("api")), key: "token") }

    private func write(_ file: String, _ text: String, mode: Int = 0o600) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/" + file))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: folder + "/" + file)
    }

    private func error(_ provider: SecretProvider, _ sources: SecretSources) async throws -> String {
        let name = try name()
        do throws(SecretSourceError) {
            _ = try await sources.value(of: name, by: provider)
            return "none"
        } catch {
            return error.description
        }
    }

    @Test func commandsRunInTheFolderOfTheBucket() async throws {
        let sources = try sources()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try write("here", "from a file\n")
        #expect(try await sources.value(of: name(), by: .command(["cat", "here"])) == "from a file")
        #expect(try await sources.value(of: name(), by: .command(["echo", "$HOME", "a b"])) == "$HOME a b")
        #expect(try await sources.value(of: name(), by: .file("here")) == "from a file")
    }

    @Test func aValueIsAskedForOnce() async throws {
        let sources = try sources()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let counting = SecretProvider.command(["sh", "-c", "echo x >>count; wc -l <count"])
        for _ in 0..<3 { #expect(try await sources.value(of: name(), by: counting).contains("1")) }
        await #expect(throws: SecretSourceError.self) { try await sources.steadyValue(of: try name(), by: counting) }
    }

    /// Errors name the secret and who should give it, and nothing that was printed as a value.
    @Test func errorsSayWhoFailed() async throws {
        let sources = try sources(["HOME": folder])
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try write("failing", "#!/bin/sh\necho hidden; echo hidden, too >&2; exit 3\n", mode: 0o700)
        let failing = try await error(.command(["./failing"]), sources)
        #expect(
            failing.hasPrefix("the secret token of secrets/job/api: the command `./failing` ended with exit code 3."))
        #expect(!failing.contains("hidden"))
        try write("talking", "#!/bin/sh\nhead -c 100000 /dev/zero >&2; echo value\n", mode: 0o700)
        #expect(try await sources.value(of: name(), by: .command(["./talking"])) == "value")
        #expect(try await error(.command(["sh", "workspace/x.sh"]), sources).contains("nothing below workspace/"))
        #expect(mkfifo(folder + "/pipe", 0o600) == 0)
        for place in ["pipe", "."] { #expect(try await error(.file(place), sources).hasSuffix("is no regular file")) }
        #expect(try await error(.command(["true"]), sources).hasSuffix("gives an empty value"))
        #expect(try await error(.command(["printf", "a\\000b"]), sources).contains("NUL"))
        #expect(try await error(.command(["printf", "\\377"]), sources).hasSuffix("gives a value that is no text"))
        #expect(try await error(.command(["no-such-program"]), sources).contains("ended with exit code 127"))
        #expect(try await error(.command(["head", "-c", "70000", "/dev/zero"]), sources) != "none")
        #expect(try await error(.file("nothing"), sources).contains("the file nothing cannot be read"))
        #expect(try await error(.vault(path: "secret/data/a", key: "k"), sources).contains("VAULT_ADDR is not set"))
        // What it started ends with it.
        let hanging = try await error(
            .command(["sh", "-c", "sleep 600 & echo $! >pid; wait"]), try self.sources(limit: 3))
        #expect(hanging.hasSuffix("gives no value within 3 s"))
        let pid = try #require(
            Int32(
                String(decoding: try Data(contentsOf: URL(fileURLWithPath: folder + "/pid")), as: UTF8.self)
                    .trimmingCharacters(in: .whitespacesAndNewlines)))
        let end = ContinuousClock.now + .seconds(60)
        while kill(pid, 0) == 0, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(20)) }
        #expect(kill(pid, 0) != 0)
    }

    /// The real `sops` is called with its documented arguments; here something stands in its place.
    @Test func sopsIsCalledWithThePlaceOfTheValue() async throws {
        let sources = try sources()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try write("sops", "#!/bin/sh\nfor word do printf '<%s>' \"$word\"; done\n", mode: 0o700)
        #expect(
            try await sources.value(of: name(), by: .sops(file: "a.yaml", key: "db.password"))
                == #"<--decrypt><--extract><["db"]["password"]><\#(folder)/a.yaml>"#)
        #expect(
            try await sources.value(of: name(), by: .sops(file: "/x/a.yaml", key: "")) == "<--decrypt></x/a.yaml>")
    }
}
