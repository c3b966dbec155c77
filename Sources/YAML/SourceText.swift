/// The bytes of an input, to make diagnostics that show the line.
struct SourceText {
    let bytes: [UInt8]
    let file: String
    /// The place that was shown last. Diagnostics mostly come in the order of the file, so the search goes on from
    /// here: lines may be many, and one line may be megabytes long.
    private var cursor = Cursor()

    private struct Cursor {
        var line = 1
        var lineStart = 0
        var column = 1
        var offset = 0
    }

    /// Characters of a line that are shown before and after the column.
    private static let context = 60

    init(bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
    }

    mutating func diagnostic(
        _ severity: Diagnostic.Severity = .error, at mark: Mark, _ message: String, note: String? = nil
    ) -> Diagnostic {
        Diagnostic(severity, file: file, mark: mark, message: message, note: note, excerpt: excerpt(at: mark))
    }

    mutating func failure(at mark: Mark, _ message: String, note: String? = nil) -> InputFailure {
        InputFailure(diagnostic(at: mark, message, note: note))
    }

    /// The mark of the byte at `offset`; all before it is valid UTF-8.
    func mark(atOffset offset: Int) -> Mark {
        var line = 1
        var column = 1
        for byte in bytes[..<min(offset, bytes.count)] {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if !Self.isContinuation(byte) {
                column += 1
            }
        }
        return Mark(line: line, column: column)
    }

    /// The mark of the character that the byte at `offset` belongs to.
    func mark(ofCharacterAt offset: Int) -> Mark {
        var start = offset
        while start > 0, start < bytes.count, Self.isContinuation(bytes[start]) { start -= 1 }
        return mark(atOffset: start)
    }

    private static func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }

    private func isLineEnd(_ index: Int) -> Bool {
        guard index < bytes.count else { return true }
        if bytes[index] == UInt8(ascii: "\n") { return true }
        return bytes[index] == UInt8(ascii: "\r")
            && (index + 1 == bytes.count || bytes[index + 1] == UInt8(ascii: "\n"))
    }

    /// Moves the cursor to the mark, or to the end of the mark's line.
    private mutating func seek(_ mark: Mark) {
        if mark < Mark(line: cursor.line, column: cursor.column) {
            let isSameLine = mark.line == cursor.line
            cursor =
                isSameLine ? Cursor(line: cursor.line, lineStart: cursor.lineStart, offset: cursor.lineStart) : Cursor()
        }
        while cursor.line < mark.line, let end = bytes[cursor.offset...].firstIndex(of: UInt8(ascii: "\n")) {
            cursor = Cursor(line: cursor.line + 1, lineStart: end + 1, offset: end + 1)
        }
        while cursor.column < mark.column, !isLineEnd(cursor.offset) {
            cursor.offset += 1
            while cursor.offset < bytes.count, Self.isContinuation(bytes[cursor.offset]) { cursor.offset += 1 }
            cursor.column += 1
        }
    }

    /// The line around the mark; only the part that is shown is decoded.
    mutating func excerpt(at mark: Mark) -> Diagnostic.Excerpt {
        seek(mark)
        let target = cursor.offset
        var end = target
        var first = target
        var shown = 0
        while first > cursor.lineStart, shown < Self.context, target - first < Self.context * 4 {
            first -= 1
            if !Self.isContinuation(bytes[first]) { shown += 1 }
        }
        shown = 0
        while !isLineEnd(end), shown < Self.context, end - target < Self.context * 4 {
            end += 1
            if end == bytes.count || !Self.isContinuation(bytes[end]) { shown += 1 }
        }
        func visible(_ range: Range<Int>) -> String {
            VisibleText.escape(String(decoding: bytes[range], as: UTF8.self), for: .terminal)
        }
        let before = (first > cursor.lineStart ? "…" : "") + visible(first..<target)
        let after = visible(target..<end) + (isLineEnd(end) ? "" : "…")
        return Diagnostic.Excerpt(text: before + after, caret: before.unicodeScalars.count)
    }
}
