/// Identifiers in the form of RFC 9562, such as `7f3c9a2e-0b1c-4d2e-8f3a-5b6c7d8e9f00`.
public enum UUIDText {
    /// - Parameters:
    ///   - bytes: 16 of them, random or a digest's.
    ///   - version: what they are, 1...15; written in place of four of their bits.
    public static func text(_ bytes: [UInt8], version: UInt8) -> String {
        var bytes = bytes
        bytes[6] = bytes[6] & 0x0f | version << 4
        bytes[8] = bytes[8] & 0x3f | 0x80
        let digits = bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        var rest = digits[...]
        return [8, 4, 4, 4, 12].map { count in
            defer { rest = rest.dropFirst(count) }
            return String(rest.prefix(count))
        }.joined(separator: "-")
    }
}
