/// One way to escape text, byte by byte.
struct Escapes: Sendable {
    /// What is written for a byte: the bytes of it from the lowest on, and how many these are in the highest. 0 where it
    /// stays as it is.
    private let words: [UInt64]
    /// Characters beyond ASCII are written by number.
    private let isASCII: Bool

    static let all = [
        json(escaping: "\""), json(escaping: "\"", isASCII: true), json(escaping: "\"<>&"), json(escaping: ""),
        json(escaping: "'"),
        percent(keeping: ""), percent(keeping: "/"), percent(keeping: "", blank: "+"), percent(keeping: "!*'()"),
    ]

    /// For each byte, a bit for each of `all` that changes it.
    static let changing: [UInt16] = (0..<256).map { byte in
        all.indices.reduce(0) { all[$1].changes(byte) ? $0 | 1 << $1 : $0 }
    }

    private func changes(_ byte: Int) -> Bool { words[byte] != 0 || isASCII && byte >= 0x80 }

    /// - Parameter text: UTF-8, from the beginning of a character on.
    func write(_ text: ArraySlice<UInt8>, to out: inout [UInt8]) {
        var index = text.startIndex
        while index < text.endIndex {
            let byte = text[index]
            if isASCII, byte >= 0x80 {
                let end = text[index...].firstIndex { $0 < 0x80 } ?? text.endIndex
                for unit in String(decoding: text[index..<end], as: UTF8.self).utf16 { out += Self.number(unit) }
                index = end
                continue
            }
            var word = words[Int(byte)]
            if word == 0 { out.append(byte) }
            for _ in 0..<(word >> 56) {
                out.append(UInt8(truncatingIfNeeded: word))
                word >>= 8
            }
            index += 1
        }
    }

    /// - Parameters:
    ///   - escaping: what is escaped beside backslashes and control characters: quotes by a backslash, the rest by number.
    ///   - isASCII: whether everything else is, too, as Python does.
    private static func json(escaping: String, isASCII: Bool = false) -> Escapes {
        Escapes(isASCII: isASCII) { byte in
            switch byte {
            case UInt8(ascii: "\\"): Array("\\\\".utf8)
            case UInt8(ascii: "\n"): Array("\\n".utf8)
            case UInt8(ascii: "\r"): Array("\\r".utf8)
            case UInt8(ascii: "\t"): Array("\\t".utf8)
            case UInt8(ascii: "\"") where escaping.utf8.contains(byte),
                UInt8(ascii: "'") where escaping.utf8.contains(byte):
                [UInt8(ascii: "\\"), byte]
            case _ where byte < 0x20 || escaping.utf8.contains(byte) || isASCII && byte == 0x7f: number(UInt16(byte))
            case _: nil
            }
        }
    }

    private static func percent(keeping: String, blank: String = "%20") -> Escapes {
        let digits = Array("0123456789ABCDEF".utf8)
        return Escapes(isASCII: false) { byte in
            if isUnreserved(byte) || keeping.utf8.contains(byte) { return nil }
            if byte == 0x20 { return Array(blank.utf8) }
            return [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }

    private init(isASCII: Bool, _ escape: (UInt8) -> [UInt8]?) {
        words = (0..<256).map { byte in
            guard let bytes = escape(UInt8(byte)) else { return 0 }
            return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } | UInt64(bytes.count) << 56
        }
        self.isASCII = isASCII
    }

    private static func number(_ unit: UInt16) -> [UInt8] {
        let digits = String(unit, radix: 16)
        return Array(("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        case _: false
        }
    }
}

/// One way to write bytes in base64.
struct Base64: Sendable {
    enum Ending {
        case padded, unpadded
        /// With a line feed behind the bytes.
        case lineFeed
        /// Without the last group, where that is not full: what follows the bytes changes it.
        case wholeGroups
    }

    let alphabet: [UInt8]
    let ending: Ending

    static let alphabets = ["+/", "-_"].map { last in
        Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789\(last)".utf8)
    }

    /// Those in which so many bytes differ.
    static func endings(of count: Int) -> [Ending] {
        if count % 3 == 0 { return [.padded, .lineFeed] }
        return [.padded, .unpadded, .lineFeed] + (count >= 9 ? [.wholeGroups] : [])
    }

    func write(_ bytes: ArraySlice<UInt8>, to out: inout [UInt8]) {
        var index = bytes.startIndex
        while index + 3 <= bytes.endIndex {
            write(bytes[index], bytes[index + 1], bytes[index + 2], to: &out)
            index += 3
        }
        var rest = Array(bytes[index...])
        switch ending {
        case .wholeGroups: return
        case .lineFeed: rest.append(0x0a)
        case .padded, .unpadded: break
        }
        if rest.isEmpty { return }
        let missing = 3 - rest.count
        rest += [UInt8](repeating: 0, count: missing)
        write(rest[0], rest[1], rest[2], to: &out)
        out.removeLast(missing)
        if ending != .unpadded { out += [UInt8](repeating: UInt8(ascii: "="), count: missing) }
    }

    private func write(_ first: UInt8, _ second: UInt8, _ third: UInt8, to out: inout [UInt8]) {
        out.append(alphabet[Int(first >> 2)])
        out.append(alphabet[Int(first << 4 & 0x30 | second >> 4)])
        out.append(alphabet[Int(second << 2 & 0x3c | third >> 6)])
        out.append(alphabet[Int(third & 0x3f)])
    }
}
