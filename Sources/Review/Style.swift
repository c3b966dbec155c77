/// How parts of a text are set off from each other on a terminal.
struct Style {
    /// Without colours every part is plain text.
    let hasColor: Bool

    enum Part {
        case heading, name, start, change, stop, detail

        fileprivate var code: String {
            switch self {
            case .heading, .name: "1"
            case .start: "32"
            case .change: "33"
            case .stop: "31"
            case .detail: "2"
            }
        }
    }

    /// - Parameter text: escaped already.
    func callAsFunction(_ part: Part, _ text: String) -> String {
        hasColor ? "\u{1b}[\(part.code)m\(text)\u{1b}[0m" : text
    }

    /// The line in rows of at most `width` columns; those after the first are indented.
    ///
    /// - Parameter line: escaped already, so that the only escape sequences in it are the colours of `callAsFunction`.
    static func broken(_ line: String, width: Int, indent: Int) -> String {
        guard line.utf8.count > width else { return line }
        let margin = String(repeating: " ", count: min(indent, width / 2)) + "↳ "
        var out = ""
        var column = 0
        var isCode = false
        for scalar in line.unicodeScalars {
            if scalar == "\u{1b}" { isCode = true }
            let columns = isCode ? 0 : columns(of: scalar)
            if column + columns > width {
                out += "\n" + margin
                column = margin.unicodeScalars.count
            }
            out.unicodeScalars.append(scalar)
            column += columns
            if isCode, scalar == "m" { isCode = false }
        }
        return out
    }

    /// Columns that a terminal may need: rather too many than too few.
    private static func columns(of scalar: Unicode.Scalar) -> Int {
        switch scalar.value {
        case 0x09: 8
        case 0x20...0x7e, 0xa1...0x2ff, 0x2010...0x2027, 0x2190...0x21ff: 1
        default: 2
        }
    }
}
