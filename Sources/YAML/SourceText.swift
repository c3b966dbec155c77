/// The bytes of an input, to make diagnostics that show the line.
struct SourceText {
    let bytes: [UInt8]
    let file: String
    /// A line and where it begins: diagnostics mostly come in the order of the file, so the search goes on from here.
    private var cursor = (line: 1, offset: 0)

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

    private static func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }

    private mutating func startOfLine(_ line: Int) -> Int {
        if line < cursor.line { cursor = (1, 0) }
        bytes.withUnsafeBufferPointer { bytes in
            var (current, offset) = cursor
            while current < line, let end = bytes[offset...].firstIndex(of: UInt8(ascii: "\n")) {
                current += 1
                offset = end + 1
            }
            cursor = (current, offset)
        }
        return cursor.offset
    }

    /// The line around the mark. A line may be megabytes long, so only the part that is shown is decoded.
    private mutating func excerpt(at mark: Mark) -> Diagnostic.Excerpt {
        let start = startOfLine(mark.line)
        var end = start
        var column = 1
        func isLineEnd(_ index: Int) -> Bool {
            guard index < bytes.count else { return true }
            if bytes[index] == UInt8(ascii: "\n") { return true }
            return bytes[index] == UInt8(ascii: "\r")
                && (index + 1 == bytes.count || bytes[index + 1] == UInt8(ascii: "\n"))
        }
        func next(_ index: Int) -> Int {
            var index = index + 1
            while index < bytes.count, Self.isContinuation(bytes[index]) { index += 1 }
            return index
        }
        while column < mark.column, !isLineEnd(end) {
            end = next(end)
            column += 1
        }
        let target = end
        var first = target
        var shown = 0
        while first > start, shown < Self.context, target - first < Self.context * 4 {
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
        let before = (first > start ? "…" : "") + visible(first..<target)
        let after = visible(target..<end) + (isLineEnd(end) ? "" : "…")
        return Diagnostic.Excerpt(text: before + after, caret: before.unicodeScalars.count)
    }
}
