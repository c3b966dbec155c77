internal import Foundation
internal import Glibc
package import Model
package import Plans
internal import Probes
internal import Subprocess

/// Asks those who keep values of secrets.
///
/// A value is asked for once in the life of this object, and kept in memory alone. May be used from any number of tasks.
package actor SecretSources {
    /// How many secrets are asked for at a time.
    package static let width = 8

    private let bucketFolder: String
    private let environment: [String: String]
    private var known: [SecretProvider: Task<String, any Error>] = [:]

    private let timeLimit: Int

    /// - Parameters:
    ///   - environment: has `VAULT_ADDR`, `VAULT_TOKEN` and `VAULT_NAMESPACE`, if any; commands get all of it.
    ///   - timeLimit: how long one value may take, in seconds.
    package init(
        bucketFolder: String, environment: [String: String] = ProcessInfo.processInfo.environment, timeLimit: Int = 30
    ) {
        self.bucketFolder = bucketFolder
        self.environment = environment
        self.timeLimit = timeLimit
    }

    /// The value of a secret.
    ///
    /// - Throws: `SecretSourceError`, which names the secret and its provider, and never a value.
    package func value(of name: SecretName, by provider: SecretProvider) async throws(SecretSourceError) -> String {
        let task = known[provider] ?? Task { try await ask(provider) }
        known[provider] = task
        do {
            return try await task.value
        } catch {
            known[provider] = nil
            throw SecretSourceError(secret: name, provider: provider, reason: "\(error)")
        }
    }

    /// The value of a secret, asked for twice.
    ///
    /// - Throws: `SecretSourceError`, also if it is another one at each time: a plan could not be made of it.
    package func steadyValue(
        of name: SecretName, by provider: SecretProvider
    ) async throws(SecretSourceError) -> String {
        let first = try await value(of: name, by: provider)
        let second: String
        do { second = try await ask(provider) } catch {
            throw SecretSourceError(secret: name, provider: provider, reason: "\(error)")
        }
        guard first == second else {
            throw SecretSourceError(
                secret: name, provider: provider,
                reason: "gives another value each time. A plan is about one value: let something keep it")
        }
        return first
    }

    private func ask(_ provider: SecretProvider) async throws -> String {
        let bytes: [UInt8]
        switch provider {
        case .command(let words): bytes = try await run(words)
        case .file(let path): bytes = try read(path)
        case .sops(let file, let key):
            let place = key.split(separator: ".").map { "[\"\($0)\"]" }.joined()
            bytes = try await run(["sops", "--decrypt"] + (key.isEmpty ? [] : ["--extract", place]) + [path(file)])
        case .vault(let path, let key): bytes = try await askVault(path, key)
        }
        guard var text = String(validating: bytes, as: UTF8.self) else {
            throw Problem("gives a value that is no text")
        }
        if text.last == "\n" || text.last == "\r\n" { text.removeLast() }
        if text.isEmpty { throw Problem("gives an empty value") }
        if let problem = KeyValue.problem(ofValue: text) { throw Problem("gives a value that \(problem)") }
        return text
    }

    /// The end of a sentence about the provider.
    private struct Problem: Error, CustomStringConvertible {
        let description: String

        init(_ description: String) { self.description = description }
    }

    private func path(_ path: String) -> String { path.hasPrefix("/") ? path : bucketFolder + "/" + path }

    private func read(_ name: String) throws -> [UInt8] {
        let descriptor = open(path(name), O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Problem("cannot be read: \(String(cString: strerror(errno)))") }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Problem("is no regular file")
        }
        do {
            return [UInt8](try handle.read(upToCount: KeyValue.maximumValue + 2) ?? Data())
        } catch {
            throw Problem("cannot be read: \(String(cString: strerror(errno)))")
        }
    }

    // MARK: Commands

    private func run(_ words: [String]) async throws -> [UInt8] {
        if words.contains(where: { $0.contains("workspace/") }) {
            throw Problem("is not run: nothing below workspace/ is executed that no plan pins. Keep it elsewhere")
        }
        var options = PlatformOptions()
        // If its time is up, what it has started ends with it.
        options.createSession = true
        options.teardownSequence = [
            .send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .seconds(1))
        ]
        var environment: [Environment.Key: String] = [:]
        for (name, value) in self.environment {
            if let key = Environment.Key(rawValue: name) { environment[key] = value }
        }
        let (platform, variables, folder) = (options, environment, bucketFolder)
        let result = try await limited { () async throws -> Ended in
            let result = try await Subprocess.run(
                // In the bucket's folder, whatever the caller's is.
                .name("sh"), arguments: Arguments(["-c", #"cd -- "$0" && exec "$@""#, folder] + words),
                environment: .custom(variables), platformOptions: platform,
                output: .bytes(limit: KeyValue.maximumValue + 2), error: .discarded)
            let reason: String? =
                switch result.terminationStatus {
                case .exited(0): nil
                case .exited(let status): "exit code \(status)"
                case .signaled(let number): "signal \(number)"
                }
            return Ended(reason: reason, output: result.standardOutput)
        }
        // Nothing of what it prints is told: any of it may be a value.
        if let reason = result.reason {
            throw Problem("ended with \(reason). Run it in the bucket's folder to see why")
        }
        return result.output
    }

    private struct Ended: Sendable {
        /// Why it has failed, if it has.
        let reason: String?
        let output: [UInt8]
    }

    private func limited<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value.self) { group in
            group.addTask { try await body() }
            group.addTask { [timeLimit] in
                try await Task.sleep(for: .seconds(timeLimit))
                throw Problem("gives no value within \(timeLimit) s")
            }
            defer { group.cancelAll() }
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }

    // MARK: Vault

    /// A secret of the engine KV version 2, over its HTTP API.
    private func askVault(_ path: String, _ key: String) async throws -> [UInt8] {
        guard let address = environment["VAULT_ADDR"] else { throw Problem("is not known: VAULT_ADDR is not set") }
        guard let url = URLComponents(string: address), let host = url.host, url.path.isEmpty || url.path == "/" else {
            throw Problem("is not known: VAULT_ADDR is no address such as http://127.0.0.1:8200")
        }
        guard url.scheme == "http" else {
            throw Problem(
                "cannot be asked: this release speaks to Vault over http alone. Let `vault proxy` listen on this host, and set "
                    + "VAULT_ADDR to it")
        }
        var headers = [("X-Vault-Request", "true")]
        if let token = environment["VAULT_TOKEN"] ?? tokenFile() { headers.append(("X-Vault-Token", token)) }
        if let namespace = environment["VAULT_NAMESPACE"] { headers.append(("X-Vault-Namespace", namespace)) }
        let answer: (status: Int, body: [UInt8])
        do {
            answer = try await Probe.get(
                address: host, port: url.port ?? 80, path: "/v1/" + path, headers: headers, limit: 1 << 20,
                timeout: timeLimit)
        } catch {
            throw Problem("does not answer: \(error)")
        }
        guard answer.status == 200 else { throw Problem("answers \(answer.status) for \(path)") }
        let root = try? JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any]
        let data = (root?["data"] as? [String: Any])?["data"] as? [String: Any]
        guard let data else { throw Problem("does not answer as the engine KV version 2; its paths have `/data/`") }
        guard let value = data[key] else { throw Problem("has no key \(key) in \(path)") }
        guard let text = value as? String else { throw Problem("has a value at \(key) of \(path) that is no text") }
        return Array(text.utf8)
    }

    /// What `vault login` leaves.
    private func tokenFile() -> String? {
        guard let home = environment["HOME"],
            let text = try? String(contentsOfFile: home + "/.vault-token", encoding: .utf8)
        else { return nil }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// Why nobody gives the value of a secret. The text never holds one.
package struct SecretSourceError: Error, Equatable, Sendable, CustomStringConvertible {
    package let secret: SecretName
    package let provider: SecretProvider
    let reason: String

    package var description: String {
        let text = provider.description
        return "the secret \(secret): \(text.count > 300 ? text.prefix(300) + "..." : text[...]) \(reason)"
    }
}
