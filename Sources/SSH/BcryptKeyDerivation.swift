internal import Crypto

/// bcrypt_pbkdf, by which OpenSSH derives the key of an encrypted key file from the passphrase (OpenBSD's bcrypt_pbkdf(3)).
///
/// libssh2 knows it too, but would do it twice for every connection: a third of a second each, on the thread that serves all.
enum BcryptKeyDerivation {
    /// - Returns: `count` bytes, at least one. The time is proportional to `rounds` and to `count` / 32.
    static func derive(passphrase: [UInt8], salt: [UInt8], rounds: Int, count: Int) -> [UInt8] {
        let initial = Blowfish()
        let password = Array(SHA512.hash(data: passphrase))
        let blocks = (count + 31) / 32
        var key = [UInt8](repeating: 0, count: count)
        for block in 1...blocks {
            var counted = WireWriter()
            counted.raw(salt)
            counted.uint32(UInt32(block))
            var part = hash(password, salt: Array(SHA512.hash(data: counted.bytes)), from: initial)
            var sum = part
            for _ in stride(from: 1, to: rounds, by: 1) {
                part = hash(password, salt: Array(SHA512.hash(data: part)), from: initial)
                for index in sum.indices { sum[index] ^= part[index] }
            }
            // The blocks' bytes are interleaved, so that each part of the key needs all blocks.
            for (index, byte) in sum.enumerated() {
                let place = index * blocks + block - 1
                if place < count { key[place] = byte }
            }
        }
        return key
    }

    /// One bcrypt of two 64-byte digests: 64 expensive rounds of key schedule, then 64 encryptions of a fixed text.
    private static func hash(_ password: [UInt8], salt: [UInt8], from initial: Blowfish) -> [UInt8] {
        var cipher = initial
        let (password, salt) = (words(password), words(salt))
        cipher.expand(key: password, salt: salt)
        for _ in 0..<64 {
            cipher.expand(key: salt, salt: nil)
            cipher.expand(key: password, salt: nil)
        }
        var text = words(Array("OxychromaticBlowfishSwatDynamite".utf8))
        for _ in 0..<64 {
            for index in stride(from: 0, to: text.count, by: 2) {
                (text[index], text[index + 1]) = cipher.encrypt(text[index], text[index + 1])
            }
        }
        // Each word comes out with its lowest byte first.
        return text.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
    }

    private static func words(_ bytes: [UInt8]) -> [UInt32] {
        stride(from: 0, to: bytes.count, by: 4).map { start in
            bytes[start..<start + 4].reduce(0) { $0 << 8 | UInt32($1) }
        }
    }
}

/// The Blowfish cipher with bcrypt's salted key schedule.
private struct Blowfish {
    private static let roundKeys = 18
    /// The 18 round keys and the four tables of 256, one after the other.
    private var state: [UInt32]

    /// The state before any key: the fraction of π, in binary.
    init() { state = Pi.fraction(words: Self.roundKeys + 4 * 256) }

    func encrypt(_ left: UInt32, _ right: UInt32) -> (UInt32, UInt32) {
        state.withUnsafeBufferPointer { Self.encrypt(left, right, $0) }
    }

    private static func encrypt(
        _ left: UInt32, _ right: UInt32, _ state: UnsafeBufferPointer<UInt32>
    ) -> (UInt32, UInt32) {
        var (left, right) = (left ^ state[0], right)
        for round in 1...16 {
            var mixed = state[roundKeys + Int(left >> 24)]
            mixed &+= state[roundKeys + 256 + Int(left >> 16 & 0xff)]
            mixed ^= state[roundKeys + 512 + Int(left >> 8 & 0xff)]
            mixed &+= state[roundKeys + 768 + Int(left & 0xff)]
            (left, right) = (right ^ mixed ^ state[round], left)
        }
        return (right ^ state[17], left)
    }

    /// Mixes the key into the round keys, then replaces the whole state by encryptions, each of the one before and the salt.
    mutating func expand(key: [UInt32], salt: [UInt32]?) {
        for index in 0..<Self.roundKeys { state[index] ^= key[index % key.count] }
        state.withUnsafeMutableBufferPointer { state in
            var (left, right): (UInt32, UInt32) = (0, 0)
            for index in stride(from: 0, to: state.count, by: 2) {
                if let salt {
                    left ^= salt[index % salt.count]
                    right ^= salt[(index + 1) % salt.count]
                }
                (left, right) = Self.encrypt(left, right, UnsafeBufferPointer(state))
                (state[index], state[index + 1]) = (left, right)
            }
        }
    }
}

/// π to as many bits as Blowfish wants, computed instead of listed: a thousand numbers that nobody can proof-read.
private enum Pi {
    /// The first bits behind the binary point, 32 a word.
    static func fraction(words: Int) -> [UInt32] {
        // Machin: π = 16 arctan(1/5) - 4 arctan(1/239), in fixed point: one word before the point, and one more behind the
        // wanted ones than the rounding of all terms together can reach.
        var sum = Fixed(words: words + 3)
        sum.addArctangent(of: 5, times: 16, sign: 1)
        sum.addArctangent(of: 239, times: 4, sign: -1)
        return Array(sum.words[1...words])
    }

    private struct Fixed {
        var words: [UInt32]

        init(words count: Int) { words = [UInt32](repeating: 0, count: count) }

        /// Adds `sign` x `times` x arctan(1/x), as the series of 1/(n x^n) with signs in turn.
        mutating func addArctangent(of x: UInt32, times: UInt32, sign: Int) {
            var power = Fixed(words: words.count)
            power.words[0] = times
            power.divide(by: x)
            var (odd, sign): (UInt32, Int) = (1, sign)
            while power.words.contains(where: { $0 != 0 }) {
                var term = power
                term.divide(by: odd)
                sign > 0 ? add(term) : subtract(term)
                power.divide(by: x * x)
                (odd, sign) = (odd + 2, -sign)
            }
        }

        mutating func divide(by divisor: UInt32) {
            var remainder: UInt64 = 0
            for index in words.indices {
                let value = remainder << 32 | UInt64(words[index])
                words[index] = UInt32(value / UInt64(divisor))
                remainder = value % UInt64(divisor)
            }
        }

        mutating func add(_ other: Fixed) {
            var carry: UInt64 = 0
            for index in words.indices.reversed() {
                let value = UInt64(words[index]) + UInt64(other.words[index]) + carry
                words[index] = UInt32(truncatingIfNeeded: value)
                carry = value >> 32
            }
        }

        mutating func subtract(_ other: Fixed) {
            var borrow: Int64 = 0
            for index in words.indices.reversed() {
                let value = Int64(words[index]) - Int64(other.words[index]) - borrow
                words[index] = UInt32(truncatingIfNeeded: value)
                borrow = value < 0 ? 1 : 0
            }
        }
    }
}
