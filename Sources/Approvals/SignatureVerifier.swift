internal import Foundation
internal import Model
internal import Subprocess
internal import Windows

/// Asks `ssh-keygen` about signatures. Whatever it is given is a copy in a folder of our own, and the signed bytes come
/// through a pipe: nothing is read again that somebody could have changed meanwhile.
struct SignatureVerifier: Sendable {
    /// What signatures are made for (`ssh-keygen -Y sign -n`).
    static let namespace = "maand-plan"

    private let folder: String
    private let hasRevocations: Bool
    private let allowedSigners: [UInt8]
    /// As `ssh-keygen` wants it; its zone is UTC.
    private let verifyTime: String

    /// Runs `body` with a verifier, and removes its files.
    ///
    /// - Throws: `ApprovalProblem` where its files cannot be written or `ssh-keygen` cannot be started.
    static func with<Value>(
        _ policy: EffectivePolicy?, at now: Timestamp, _ body: (SignatureVerifier) async throws -> Value
    ) async throws -> Value {
        // A handler rather than an ignored signal: what is ignored stays so in programs that are started.
        signal(SIGPIPE) { _ in }
        let template = FileManager.default.temporaryDirectory.appendingPathComponent("maand-approval-XXXXXX").path
        var name = template.utf8CString
        let isMade = name.withUnsafeMutableBufferPointer { $0.baseAddress.map { mkdtemp($0) != nil } ?? false }
        guard isMade else {
            throw ApprovalProblem(
                "No folder for checking signatures could be made (\(template)): \(String(cString: strerror(errno))).")
        }
        let folder = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let verifier = SignatureVerifier(
            folder: folder, hasRevocations: policy?.revocations != nil, allowedSigners: policy?.allowedSigners ?? [],
            verifyTime: now.utcText.filter { $0.isNumber })
        if let policy {
            try verifier.write(policy.allowedSigners, to: Self.allLines)
            try verifier.write(AllowedSigners.exactLines(policy.allowedSigners), to: Self.exactLines)
            if let revocations = policy.revocations {
                try verifier.write(revocations, to: Self.revocations)
                try await verifier.checkRevocations(revocations, of: policy)
            }
        }
        return try await body(verifier)
    }

    private static let allLines = "allowed_signers"
    private static let exactLines = "exact_signers"
    private static let otherLines = "other_signers"
    private static let revocations = "revocations"
    private static let signature = "signature"

    private func write(_ bytes: [UInt8], to name: String) throws {
        do { try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)")) } catch {
            throw ApprovalProblem("\(folder)/\(name) cannot be written: \(error.localizedDescription).")
        }
    }

    /// The fingerprint of the key that signed these bytes for our purpose, of any person; nil if none did.
    ///
    /// - Throws: `ApprovalProblem`, `CancellationError`.
    func key(of signature: [UInt8], over bytes: [UInt8]) async throws -> String? {
        try write(signature, to: Self.signature)
        let answer = try await ask(["-Y", "check-novalidate", "-n", Self.namespace, "-s", path(Self.signature)], bytes)
        guard answer.isSuccess, let word = answer.output.split(whereSeparator: \.isWhitespace).last,
            word.hasPrefix("SHA256:")
        else { return nil }
        return String(word)
    }

    /// Whose approval a signature is.
    ///
    /// - Throws: `ApprovalProblem`, `CancellationError`.
    func verdict(of signature: [UInt8], over bytes: [UInt8]) async throws -> SignatureFinding.Verdict {
        guard let key = try await key(of: signature, over: bytes) else {
            return .invalid("it is no signature of this plan for `\(Self.namespace)`")
        }
        let time = "-Overify-time=\(verifyTime)"
        func search(_ list: String) async throws -> Answer {
            try await ask(["-Y", "find-principals", "-s", path(Self.signature), "-f", path(list), time], [])
        }
        func name(in found: Answer) -> String? {
            guard found.isSuccess, let name = found.output.split(whereSeparator: \.isNewline).first else { return nil }
            return AllowedSigners.isExact(name) ? String(name) : nil
        }
        let found = try await search(Self.exactLines)
        guard let first = name(in: found) else {
            if found.errorOutput.contains("key has expired") || found.errorOutput.contains("not yet valid") {
                return .invalid("the key \(key) is not valid now by allowed_signers")
            }
            if try await search(Self.allLines).isSuccess {
                return .invalid(
                    "the key \(key) stands in allowed_signers under a pattern or several names, which are nobody in "
                        + "particular")
            }
            return .invalid("the key \(key) is not in allowed_signers")
        }
        // The key may stand under other names too, first of all under one that is for another purpose.
        var tried: [String] = []
        var refusal: String?
        var next: String? = first
        while let principal = next, !tried.contains(principal), tried.count < Self.maximumNames {
            let arguments = [
                "-Y", "verify", "-n", Self.namespace, "-I", principal, "-f", path(Self.exactLines), "-s",
                path(Self.signature), time,
            ]
            let answer = try await ask(arguments, bytes)
            if answer.isSuccess {
                guard hasRevocations else { return .valid(principal: principal, key: key) }
                guard try await ask(arguments + ["-r", path(Self.revocations)], bytes).isSuccess else {
                    return .invalid("the key \(key) of \(principal) is revoked")
                }
                return .valid(principal: principal, key: key)
            }
            let reason = answer.errorOutput.split(whereSeparator: \.isNewline).first.map { ": \($0)" } ?? ""
            refusal =
                refusal
                ?? "the key \(key) of \(principal) is not allowed for this" + reason.replacing("\(folder)/", with: "")
            tried.append(principal)
            try write(AllowedSigners.exactLines(allowedSigners, without: tried), to: Self.otherLines)
            next = name(in: try await search(Self.otherLines))
        }
        return .invalid(refusal ?? "the key \(key) is not in allowed_signers")
    }

    /// Names of one key that are asked about.
    private static let maximumNames = 32

    /// Of a list that it cannot read `ssh-keygen` says that it revokes everything.
    private func checkRevocations(_ bytes: [UInt8], of policy: EffectivePolicy) async throws {
        guard RevocationList.isKRL(bytes) else { return }
        let answer = try await ask(["-Q", "-l", "-f", path(Self.revocations)], [])
        guard answer.isSuccess else {
            let reason = answer.errorOutput.split(whereSeparator: \.isNewline).first.map { ": \($0)" } ?? ""
            throw policy.unreadableRevocations(
                " is a KRL that ssh-keygen cannot read" + reason.replacing("\(folder)/", with: ""))
        }
    }

    private func path(_ name: String) -> String { "\(folder)/\(name)" }

    private struct Answer {
        var isSuccess: Bool
        var output: String
        var errorOutput: String
    }

    private func ask(_ arguments: [String], _ input: [UInt8]) async throws -> Answer {
        do {
            let result = try await Subprocess.run(
                .name("ssh-keygen"), arguments: Arguments(arguments),
                // Not the caller's: a folder that plan authors write to must not come before the system's.
                environment: .custom([
                    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C",
                    "TZ": "UTC",
                ]), input: .inputWriter, output: .string(limit: 64 << 10), error: .string(limit: 64 << 10)
            ) { execution in
                // One that has heard enough closes its end; its exit status says why.
                if !input.isEmpty { _ = try? await execution.standardInputWriter.write(input) }
                try? await execution.standardInputWriter.finish()
            }
            return Answer(
                isSuccess: result.terminationStatus.isSuccess, output: result.standardOutput,
                errorOutput: result.standardError)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw ApprovalProblem(
                "ssh-keygen, which checks signatures, could not be run: \(error). On Debian it is in openssh-client.")
        }
    }
}

/// Lines of a file as `ssh-keygen` reads it (its manual, ALLOWED SIGNERS).
enum AllowedSigners {
    /// The file with the lines that stand for one named person alone. Others keep their place as empty lines, so that
    /// messages name the right ones.
    ///
    /// - Parameter names: people whose lines are left out, too.
    static func exactLines(_ bytes: [UInt8], without names: [String] = []) -> [UInt8] {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { line in
            let text = String(decoding: line, as: UTF8.self)
            let name = text.trimmingPrefix { $0 == " " || $0 == "\t" }.prefix { $0 != " " && $0 != "\t" }
            return isExact(name) && !names.contains(String(name)) ? Array(line) : []
        }
        return Array(lines.joined(separator: [UInt8(ascii: "\n")]))
    }

    /// Whether a name is one, and no pattern (`*`, `?`, `!`), list (`,`) or anything in quotes.
    static func isExact(_ name: Substring) -> Bool {
        guard let first = name.utf8.first, first != UInt8(ascii: "-"), first != UInt8(ascii: "#") else { return false }
        return name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20)
                || [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "@"), UInt8(ascii: "+"), UInt8(ascii: "-")]
                    .contains(byte)
        }
    }
}
