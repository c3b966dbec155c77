/// How a program may print a secret: as it is, without the blanks at its ends, single lines of it, and escaped for JSON,
/// a URL or a Python text, or in base64.
enum SecretForms {
    /// A part of a secret in one spelling.
    struct Form {
        let text: ArraySlice<UInt8>
        let spelling: Spelling
        /// How much of its end counts as a part of it where an output begins. Bytes.
        let shortestEnd: Int

        /// Puts the form into the place of what `out` holds.
        func write(to out: inout [UInt8]) {
            out.removeAll(keepingCapacity: true)
            spelling.write(text, to: &out)
        }

        /// Does so with its end, or with all of it where it is short.
        ///
        /// - Parameter count: of so many bytes of the text; where there are 12, four are written at least.
        /// - Returns: whether it is all of it.
        func writeEnd(of count: Int, to out: inout [UInt8]) -> Bool {
            // Where the text is cut there, what follows is spelled as in the whole.
            var start = max(text.startIndex, text.endIndex - count)
            switch spelling {
            case .plain: break
            case .escaped: while start > text.startIndex, text[start] & 0xc0 == 0x80 { start -= 1 }
            case .base64: start -= (start - text.startIndex) % 3
            }
            out.removeAll(keepingCapacity: true)
            spelling.write(text[start...], to: &out)
            return start == text.startIndex
        }
    }

    enum Spelling {
        case plain
        case escaped(Escapes)
        case base64(Base64)

        func write(_ text: ArraySlice<UInt8>, to out: inout [UInt8]) {
            switch self {
            case .plain: out += text
            case .escaped(let escapes): escapes.write(text, to: &out)
            case .base64(let base64): base64.write(text, to: &out)
            }
        }
    }

    /// Shorter lines of a secret, such as `}` or `true`, are no secrets. Bytes.
    private static let shortestLine = 8

    /// - Parameter body: called with every form; it says whether it wants to hear of others.
    static func forEach(of value: [UInt8], _ body: (Form) -> Bool) {
        let trimmed = trim(value[...])
        guard spellings(value[...], Redaction.shortest, isWhole: true, body) else { return }
        if trimmed.count < value.count, trimmed.count >= Redaction.shortest {
            guard spellings(trimmed, Redaction.shortest, isWhole: true, body) else { return }
        }
        guard let firstEnd = trimmed.firstIndex(where: isLineEnd) else { return }
        var lines: Set<ArraySlice<UInt8>> = []
        var start = trimmed.startIndex
        var end = firstEnd
        while start < trimmed.endIndex {
            let line = trim(trimmed[start..<end])
            if line.count >= shortestLine, lines.insert(line).inserted {
                guard spellings(line, shortestLine, isWhole: false, body) else { return }
            }
            start = min(end + 1, trimmed.endIndex)
            end = trimmed[start...].firstIndex(where: isLineEnd) ?? trimmed.endIndex
        }
    }

    private static func spellings(
        _ text: ArraySlice<UInt8>, _ shortestEnd: Int, isWhole: Bool, _ body: (Form) -> Bool
    ) -> Bool {
        func tell(_ spelling: Spelling) -> Bool {
            body(Form(text: text, spelling: spelling, shortestEnd: shortestEnd))
        }
        guard tell(.plain) else { return false }
        // Most secrets have nothing to be escaped.
        var changing: UInt16 = 0
        for byte in text { changing |= Escapes.changing[Int(byte)] }
        while changing != 0 {
            guard tell(.escaped(Escapes.all[changing.trailingZeroBitCount])) else { return false }
            changing &= changing - 1
        }
        if !isWhole { return true }
        for ending in Base64.endings(of: text.count) {
            for alphabet in Base64.alphabets {
                guard tell(.base64(Base64(alphabet: alphabet, ending: ending))) else { return false }
            }
        }
        return true
    }

    private static func isLineEnd(_ byte: UInt8) -> Bool { byte == 0x0a || byte == 0x0d }

    private static func trim(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
        var start = bytes.startIndex
        var end = bytes.endIndex
        while start < end, isBlank(bytes[start]) { start += 1 }
        while start < end, isBlank(bytes[end - 1]) { end -= 1 }
        return bytes[start..<end]
    }
}
