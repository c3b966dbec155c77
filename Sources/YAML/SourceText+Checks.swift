extension SourceText {
    enum Format {
        case yaml, json, toml
    }

    /// Refuses what neither reader should ever see: too much, nothing, bytes that are not UTF-8, and characters that
    /// the format forbids or that would make its lines differ from an editor's.
    mutating func check(_ format: Format, limits: InputLimits) throws(InputFailure) {
        let start = Mark(line: 1, column: 1)
        guard bytes.count <= limits.bytes else {
            throw failure(at: start, "the file has \(bytes.count) bytes; at most \(limits.bytes) are read")
        }
        guard !bytes.isEmpty else { throw failure(at: start, "the file is empty") }
        let problem = bytes.withUnsafeBufferPointer { Self.firstProblem($0, format) }
        if let problem { throw failure(at: mark(atOffset: problem.offset), problem.message, note: problem.note) }
    }

    private struct Problem {
        let offset: Int
        let message: String
        var note: String?
    }

    private static func firstProblem(_ bytes: UnsafeBufferPointer<UInt8>, _ format: Format) -> Problem? {
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte < 0x80 {
                if byte &- 0x20 >= 0x5F, let problem = problem(control: byte, at: index, format) { return problem }
                index += 1
                continue
            }
            guard let (value, length) = decode(bytes, index) else {
                return Problem(
                    offset: index, message: "byte 0x\(String(byte, radix: 16)) is not valid UTF-8 here",
                    note: "save the file as UTF-8")
            }
            if let problem = problem(character: value, at: index, format) { return problem }
            index += length
        }
        return nil
    }

    private static func problem(control byte: UInt8, at offset: Int, _ format: Format) -> Problem? {
        switch (format, byte) {
        case (_, UInt8(ascii: "\n")), (_, UInt8(ascii: "\t")):
            return nil
        case (_, 0):
            return Problem(offset: offset, message: "the file holds a NUL byte", note: "is it a text file?")
        case (.json, _), (.toml, _):
            return nil  // A carriage return ends lines; the parser refuses the others where they stand.
        case (.yaml, UInt8(ascii: "\r")):
            return Problem(
                offset: offset, message: "carriage return (CRLF line end)", note: "save the file with LF line ends")
        case (.yaml, _):
            return Problem(
                offset: offset, message: "control character U+\(hex(UInt32(byte)))",
                note: "write it as an escape in double quotes")
        }
    }

    private static func problem(character value: UInt32, at offset: Int, _ format: Format) -> Problem? {
        if value == 0xFEFF, offset == 0 {
            return Problem(offset: 0, message: "the file begins with a byte order mark", note: "save it without one")
        }
        switch (format, value) {
        case (.json, _), (.toml, _):
            return nil
        case (.yaml, 0x80...0x9F), (.yaml, 0x2028...0x2029), (.yaml, 0xFEFF), (.yaml, 0xFFFE...0xFFFF):
            return Problem(
                offset: offset, message: "character U+\(hex(value)) may not stand unescaped",
                note: "write it as an escape in double quotes")
        case (.yaml, _):
            return nil
        }
    }

    private static func hex(_ value: UInt32) -> String {
        let digits = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// The scalar whose first byte, 0x80 or above, is at `index`, and its length; nil where the bytes are not UTF-8
    /// (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
    private static func decode(_ bytes: UnsafeBufferPointer<UInt8>, _ index: Int) -> (value: UInt32, length: Int)? {
        let first = bytes[index]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        case 0xF1...0xF3: length = 4
        default: return nil
        }
        guard bytes.count - index >= length, second.contains(bytes[index + 1]) else { return nil }
        var value = UInt32(first) & (0x7F >> UInt32(length))
        for byte in bytes[(index + 1)..<(index + length)] {
            guard byte & 0xC0 == 0x80 else { return nil }
            value = value << 6 | UInt32(byte & 0x3F)
        }
        return (value, length)
    }
}
