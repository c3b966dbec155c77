public import Model

/// A file in which values of secrets stand, as it may be written down: its text, and in the place of each value which
/// secret it is, with the fingerprint of the value. So the same text with the same values has the same bytes, and nobody
/// learns a value from them.
///
/// ```
/// maand-sealed-file 1
/// text 9
/// password=
/// call printf 2
/// text 2
/// %q
/// secret 53cf... secrets/job/web password
/// ```
public struct SealedFile: Equatable, Sendable {
    /// A part of the file.
    public enum Part: Equatable, Sendable {
        case text([UInt8])
        case secret(SecretText)

        fileprivate var secrets: [SecretReference] {
            if case .secret(let text) = self { text.secrets } else { [] }
        }
    }

    public let parts: [Part]

    /// - Parameter parts: texts that follow each other become one.
    public init(_ parts: [Part]) {
        var merged: [Part] = []
        for part in parts {
            switch (part, merged.last) {
            case (.text(let text), _) where text.isEmpty: continue
            case (.text(let text), .text(let before)?): merged[merged.count - 1] = .text(before + text)
            case _: merged.append(part)
            }
        }
        self.parts = merged
    }

    /// Bytes that a file may have with its values, at most.
    static let maximumSize = Template.maximumOutput
    /// Bytes that it may have as it is written down, at most.
    public static let maximumWritten = 2 * Template.maximumOutput

    /// Secrets in the file with the values that they are to have, each once, sorted.
    public var secrets: [SecretReference] {
        let all = Set(parts.lazy.flatMap(\.secrets))
        return all.sorted {
            $0.name == $1.name ? $0.fingerprint.hex < $1.fingerprint.hex : $0.name < $1.name
        }
    }

    /// The bytes of the file, with the values.
    ///
    /// - Throws: what `value` throws; `SealedFileProblem` if values make it too large.
    public func render(_ value: (SecretReference) throws -> String) throws -> [UInt8] {
        let budget = TemplateBudget()
        var bytes: [UInt8] = []
        for part in parts {
            switch part {
            case .text(let text): bytes += text
            case .secret(let text): bytes += try text.text(value, budget: budget)
            }
            guard bytes.count <= Self.maximumSize else {
                throw SealedFileProblem("with its secrets it is larger than \(Self.maximumSize >> 20) MiB")
            }
        }
        return bytes
    }

    /// The file for people: in the place of each secret stands `[name]`, and in the place of a text that functions make of one
    /// what they are called with, such as `[printf "%s:%s" "app" name]`.
    public func shown(_ name: (SecretReference) -> String) -> [UInt8] {
        parts.flatMap { part -> [UInt8] in
            switch part {
            case .text(let text): text
            case .secret(let text): Array("[\(text.shown(name))]".utf8)
            }
        }
    }

    /// The same file with other values.
    ///
    /// - Returns: nil if `fingerprint` knows none for a secret.
    public func bound(to fingerprint: (SecretName) -> SecretFingerprint?) -> SealedFile? {
        var bound: [Part] = []
        for part in parts {
            guard case .secret(let text) = part else {
                bound.append(part)
                continue
            }
            guard let text = text.bound(to: fingerprint) else { return nil }
            bound.append(.secret(text))
        }
        return SealedFile(bound)
    }
}

/// Why a file cannot be made with the values of its secrets. The text holds none of them.
public struct SealedFileProblem: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

// MARK: Bytes

extension SealedFile {
    private static let header = "maand-sealed-file 1\n"

    /// Its one form as bytes.
    public var bytes: [UInt8] {
        var out = Array(Self.header.utf8)
        for part in parts {
            switch part {
            case .text(let text): Self.write(text, to: &out)
            case .secret(let text): Self.write(text, to: &out)
            }
        }
        return out
    }

    private static func write(_ text: [UInt8], to out: inout [UInt8]) {
        out += "text \(text.count)\n".utf8
        out += text
        out += "\n".utf8
    }

    private static func write(_ text: SecretText, to out: inout [UInt8]) {
        switch text {
        case .secret(let secret):
            out += "secret \(secret.fingerprint.hex) \(secret.name.namespace) \(secret.name.key)\n".utf8
        case .call(let function, let arguments):
            out += "call \(function.rawValue) \(arguments.count)\n".utf8
            for argument in arguments {
                switch argument {
                case .text(let text): write(text, to: &out)
                case .number(let number): out += "number \(number)\n".utf8
                case .boolean(let isTrue): out += "boolean \(isTrue)\n".utf8
                case .secret(let text): write(text, to: &out)
                }
            }
        }
    }

    /// Reads `bytes` back; nil if they are not exactly what `bytes` writes.
    public init?(bytes: [UInt8]) {
        guard bytes.count <= Self.maximumWritten, bytes.starts(with: Self.header.utf8) else { return nil }
        var reading = Reading(rest: bytes.dropFirst(Self.header.utf8.count))
        var parts: [Part] = []
        while !reading.rest.isEmpty {
            reading.room = 2 * SecretText.maximumParts
            switch reading.argument() {
            case .text(let text)?:
                // Written as one, so that as many pieces as there are cost no more than their bytes.
                if case .text? = parts.last { return nil }
                parts.append(.text(text))
            case .argument(.secret(let text))?: parts.append(.secret(text))
            case .argument?, nil: return nil
            }
        }
        self.init(parts)
        guard self.bytes == bytes else { return nil }
    }

    private struct Reading {
        var rest: ArraySlice<UInt8>
        /// Secrets and calls that the text may still have, so that what is nested is bounded.
        var room = 0

        enum Found {
            case text([UInt8])
            case argument(SecretText.Argument)
        }

        private mutating func line() -> String? {
            guard let end = rest.firstIndex(of: 0x0a),
                let line = String(validating: rest[..<end], as: UTF8.self)
            else { return nil }
            rest = rest[(end + 1)...]
            return line
        }

        mutating func argument() -> Found? {
            guard let line = line() else { return nil }
            let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
            guard words.count > 1 else { return nil }
            switch (words[0], words.count) {
            case ("text", 2):
                guard let count = Int(words[1]), count >= 0, count < rest.count else { return nil }
                let text = Array(rest.prefix(count))
                rest = rest.dropFirst(count)
                return rest.popFirst() == 0x0a ? .text(text) : nil
            case ("number", 2): return Int(words[1]).map { .argument(.number($0)) }
            case ("boolean", 2): return Bool(String(words[1])).map { .argument(.boolean($0)) }
            case ("secret", 4): return secret(words).map { .argument(.secret(.secret($0))) }
            case ("call", 3): return call(words).map { .argument(.secret($0)) }
            case _: return nil
            }
        }

        private func secret(_ words: [Substring]) -> SecretReference? {
            guard let fingerprint = SecretFingerprint(hex: String(words[1])),
                let name = KVNamespace(String(words[2])).flatMap({ SecretName($0, String(words[3])) })
            else { return nil }
            return SecretReference(name: name, fingerprint: fingerprint)
        }

        private mutating func call(_ words: [Substring]) -> SecretText? {
            guard let function = SecretFunction(rawValue: String(words[1])), let count = Int(words[2]),
                (0..<max(1, room)).contains(count), room > 0
            else { return nil }
            room -= 1 + count
            var arguments: [SecretText.Argument] = []
            for _ in 0..<count {
                switch argument() {
                case .text(let text)?: arguments.append(.text(text))
                case .argument(let argument)?: arguments.append(argument)
                case nil: return nil
                }
            }
            return .call(function, arguments)
        }
    }
}
