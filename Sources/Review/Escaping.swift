internal import YAML

/// Escapes texts from plans, files and workers where they are shown. Every format goes through here.
///
/// Characters that a reader cannot see become `\u{…}` in all of them, and so does a pile of combining marks, which would
/// be drawn over the lines around it.
enum Escaping {
    /// Combining marks on one character that are left alone: no living language needs more.
    private static let marks = 3

    /// Characters of a name or path that are shown.
    private static let longest = 300

    /// For one line of a terminal: cut, and without runs of spaces, which could push what follows to the start of the
    /// next row of a terminal, where it would look like a line of ours.
    static func terminal(_ text: String) -> String {
        if text.utf8.count <= 32, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) { return text }
        let (shown, rest) = cut(Substring(text), to: longest)
        return limitSpaces(visible(shown)) + rest
    }

    /// For a line of a file: tabs and spaces stay, since in a Makefile they matter and the line has a mark before it.
    /// Cut after `limit` characters.
    static func line(_ text: Substring, limit: Int) -> String {
        let (shown, rest) = cut(text, to: limit)
        return limitMarks(VisibleText.escape(shown, for: .fileLine)) + rest
    }

    private static func visible(_ text: String) -> String { limitMarks(VisibleText.escape(text, for: .terminal)) }

    private static func cut(_ text: Substring, to limit: Int) -> (shown: String, rest: String) {
        let scalars = text.unicodeScalars
        let end = scalars.index(scalars.startIndex, offsetBy: limit, limitedBy: scalars.endIndex) ?? scalars.endIndex
        let rest = scalars.distance(from: end, to: scalars.endIndex)
        return (String(scalars[..<end]), rest == 0 ? "" : "… (\(Wording.count(rest, "more character")))")
    }

    private static func limitSpaces(_ text: String) -> String {
        guard text.contains("   ") else { return text }
        var out = ""
        var run = 0
        for scalar in text.unicodeScalars {
            run = scalar == " " ? run + 1 : 0
            if run > 2 { out += "\\u{20}" } else { out.unicodeScalars.append(scalar) }
        }
        return out
    }

    /// For HTML, in text and in attributes in double quotes.
    static func html(_ text: String) -> String { entities(terminal(text)) }

    /// `&`, `<`, `>` and both quotes as entities; nothing else is changed.
    static func entities(_ text: String) -> String {
        if text.utf8.allSatisfy({ !isMarkup($0) }) { return text }
        var out = ""
        out.reserveCapacity(text.utf8.count + 32)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            case "'": out += "&#39;"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    private static func isMarkup(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "&"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""), UInt8(ascii: "'"): true
        default: false
        }
    }

    /// For Markdown outside of tables: a code span, in which no renderer sees markup, links, mentions or HTML.
    static func code(_ text: String) -> String {
        if text.isEmpty { return "(empty)" }
        let text = terminal(text)
        let fence = String(repeating: "`", count: longestRun(of: "`", in: text) + 1)
        // One space at each end is taken away again; without it, a backtick at an end would join the fence.
        let needsSpace = text.first == "`" || text.last == "`" || text.first == " " || text.last == " "
        return needsSpace && text.contains { $0 != " " } ? "\(fence) \(text) \(fence)" : "\(fence)\(text)\(fence)"
    }

    /// The fence of a Markdown code block that none of `lines` can end.
    static func fence(for lines: [String]) -> String {
        String(repeating: "`", count: max(3, (lines.map { longestRun(of: "`", in: $0) }.max() ?? 0) + 1))
    }

    private static func longestRun(of scalar: Unicode.Scalar, in text: String) -> Int {
        var longest = 0
        var run = 0
        for next in text.unicodeScalars {
            run = next == scalar ? run + 1 : 0
            longest = max(longest, run)
        }
        return longest
    }

    private static func limitMarks(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text }
        var out = ""
        out.reserveCapacity(text.utf8.count)
        var run = 0
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .nonspacingMark, .enclosingMark: run += 1
            default: run = 0
            }
            if run > marks {
                out += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
