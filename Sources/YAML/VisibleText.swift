/// Makes text from a file, a worker or a user safe to show, and tells which characters a reader cannot see.
public enum VisibleText {
    /// Where a text is shown.
    public enum Place: Sendable {
        /// One line of a terminal.
        case terminal
        /// One line of a file, or of a value, on a terminal: tabs stay.
        case fileLine
    }

    /// Replaces every character that does something rather than being seen (controls, escape sequences, bidirectional
    /// controls, line separators, zero-width characters) by `\u{…}`, so that the text stays on its line and shows
    /// what it holds. A backslash stays as it is: escaping twice changes nothing.
    public static func escape(_ text: String, for place: Place) -> String {
        switch place {
        case .fileLine:
            return text.split(separator: "\t", omittingEmptySubsequences: false)
                .map { escape(String($0), for: .terminal) }.joined(separator: "\t")
        case .terminal:
            if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return text }
            var result = ""
            result.reserveCapacity(text.utf8.count + 16)
            for scalar in text.unicodeScalars {
                if isHidden(scalar) {
                    result += "\\u{\(String(scalar.value, radix: 16))}"
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
            return result
        }
    }

    /// The text in double quotes, escaped and cut.
    public static func quote(_ text: String) -> String { "\"\(cut(text))\"" }

    /// The text, escaped, and cut after 60 characters.
    static func cut(_ text: String) -> String {
        let scalars = text.unicodeScalars
        guard let end = scalars.index(scalars.startIndex, offsetBy: 60, limitedBy: scalars.endIndex),
            end < scalars.endIndex
        else { return escape(text, for: .terminal) }
        return escape(String(scalars[..<end]), for: .terminal) + "…"
    }

    /// Whether a reader cannot see the character, or takes it for a space: controls, format characters, line
    /// separators, default-ignorable characters, noncharacters, and spaces other than U+0020.
    ///
    /// From the categories Cc, Cf, Zl, Zp, Zs and the properties Default_Ignorable_Code_Point and
    /// Noncharacter_Code_Point of Unicode 16. A table of our own, because the canonical form of a plan must not
    /// change with the Unicode version of a toolchain.
    static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x20...0x7E: false
        case 0x00...0x1F, 0x7F...0xA0, 0xAD: true
        case 0xAE...0x033F: false
        case 0x034F, 0x0600...0x0605, 0x061C, 0x06DD, 0x070F, 0x0890...0x0891, 0x08E2: true
        case 0x115F...0x1160, 0x1680, 0x17B4...0x17B5, 0x180B...0x180F: true
        case 0x2000...0x200F, 0x2028...0x202F, 0x205F...0x206F, 0x2800, 0x3000, 0x3164: true
        case 0xFDD0...0xFDEF, 0xFE00...0xFE0F, 0xFEFF, 0xFFA0, 0xFFF0...0xFFFB: true
        case 0x110BD, 0x110CD, 0x13430...0x1343F, 0x1BCA0...0x1BCA3, 0x1D173...0x1D17A, 0xE0000...0xE0FFF: true
        case let value: value & 0xFFFE == 0xFFFE
        }
    }
}
