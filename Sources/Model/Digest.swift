internal import Crypto

/// A SHA-256 digest, written `sha256:` and 64 hexadecimal digits.
public struct Digest: Hashable, Sendable, CustomStringConvertible, Comparable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    fileprivate init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    /// Reads `sha256:<64 lower-case hexadecimal digits>`; nil for any other text.
    public init?(_ text: String) {
        guard text.hasPrefix("sha256:") else { return nil }
        self.init(hex: text.utf8.dropFirst(7))
    }

    /// Reads exactly 64 lower-case hexadecimal digits; nil for anything else.
    public init?(hex: some Collection<UInt8>) {
        // Plans and catalogs hold these by the hundred thousand, and one reader that is not generic is ten times faster.
        let words =
            hex.withContiguousStorageIfAvailable(Self.words) ?? Array(hex).withUnsafeBufferPointer(Self.words)
        guard let words else { return nil }
        self.words = words
    }

    private static func words(_ hex: UnsafeBufferPointer<UInt8>) -> (UInt64, UInt64, UInt64, UInt64)? {
        guard hex.count == 64 else { return nil }
        func word(_ index: Int) -> UInt64? {
            var word: UInt64 = 0
            for byte in hex[index * 16..<index * 16 + 16] {
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"): word = word << 4 | UInt64(byte - UInt8(ascii: "0"))
                case UInt8(ascii: "a")...UInt8(ascii: "f"): word = word << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
                default: return nil
                }
            }
            return word
        }
        guard let first = word(0), let second = word(1), let third = word(2), let fourth = word(3) else { return nil }
        return (first, second, third, fourth)
    }

    /// The digest of `bytes`.
    public static func of(_ bytes: some Sequence<UInt8>) -> Digest {
        var hasher = DigestHasher()
        hasher.update(Array(bytes))
        return hasher.finish()
    }

    /// The 64 hexadecimal digits without the algorithm's name: what `sha256sum` prints.
    public var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(unsafeUninitializedCapacity: 64) { buffer in
            var at = 0
            for word in [words.0, words.1, words.2, words.3] {
                for shift in stride(from: UInt64(60), through: 0, by: -4) {
                    buffer[at] = digits[Int(word >> shift & 15)]
                    at += 1
                }
            }
            return 64
        }
    }

    public var description: String { "sha256:" + hex }

    public static func == (a: Self, b: Self) -> Bool { a.words == b.words }

    public static func < (a: Self, b: Self) -> Bool { a.words < b.words }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
    }
}

/// Computes a `Digest` over bytes that arrive in pieces.
public struct DigestHasher {
    private var hash = SHA256()

    public init() {}

    /// Takes in more bytes.
    public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { hash.update(bufferPointer: $0) } }

    /// Takes in more bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }

    /// Takes in the text's UTF-8.
    public mutating func update(_ text: String) {
        var text = text
        text.withUTF8 { hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }
    }

    public consuming func finish() -> Digest {
        hash.finalize().withUnsafeBytes { bytes in
            func word(_ index: Int) -> UInt64 {
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
            }
            return Digest(words: (word(0), word(1), word(2), word(3)))
        }
    }
}
