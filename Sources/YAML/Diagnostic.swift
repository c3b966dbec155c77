/// One thing that is wrong with an input, written for the person who has to correct it.
///
/// All texts may come from a stranger: ``description`` makes them safe for a terminal.
public struct Diagnostic: Sendable, Hashable, CustomStringConvertible {
    /// Whether the input is refused because of it.
    public enum Severity: String, Sendable, Hashable {
        case error, warning
    }

    public let severity: Severity
    /// The path as the user gave it.
    public let file: String
    /// Nil where the whole file is meant (it is missing, for instance).
    public let mark: Mark?
    /// What is wrong, as a sentence without a full stop.
    public let message: String
    /// One line on what to do, or on the other place that is involved.
    public let note: String?
    /// The line of the file, cut around the mark.
    public let excerpt: Excerpt?

    /// A piece of a source line, already safe for a terminal.
    public struct Excerpt: Sendable, Hashable {
        /// What is left of the line.
        public let text: String
        /// How many characters of ``text`` stand before the caret.
        public let caret: Int

        public init(text: String, caret: Int) {
            self.text = text
            self.caret = caret
        }
    }

    public init(
        _ severity: Severity = .error, file: String, mark: Mark? = nil, message: String, note: String? = nil,
        excerpt: Excerpt? = nil
    ) {
        self.severity = severity
        self.file = file
        self.mark = mark
        self.message = message
        self.note = note
        self.excerpt = excerpt
    }

    /// `file:line:column: error: message`, then the line, a caret below the column, and the note; no line end at the
    /// end.
    public var description: String {
        var text = VisibleText.escape(file, for: .terminal)
        if let mark { text += ":\(mark.line):\(mark.column)" }
        text += ": \(severity.rawValue): \(VisibleText.escape(message, for: .terminal))"
        if let excerpt {
            text += "\n  \(excerpt.text)\n  \(String(repeating: " ", count: excerpt.caret))^"
        }
        if let note { text += "\n  note: \(VisibleText.escape(note, for: .terminal))" }
        return text
    }
}
