/// Compares a file with the one spelling of what was read from it.
public enum CanonicalForm {
    /// Refuses what is no file of ours by its first bytes, and shows nothing of it: it may be anything that a path leads to,
    /// a key, too.
    ///
    /// - Parameters:
    ///   - field: the first one of such a file.
    ///   - what: such a file, as `a plan`.
    /// - Throws: ``InputFailure`` without an excerpt.
    public static func require(
        _ bytes: [UInt8], beginWith field: String, file: String, what: String
    ) throws(InputFailure) {
        if bytes.starts(with: "\(field): ".utf8) { return }
        throw InputFailure(
            Diagnostic(
                file: file, mark: Mark(line: 1, column: 1), message: "this is not \(what)",
                note: "it would begin with `\(field)`, and have nothing before that"))
    }

    /// Refuses a file that differs from its canonical form, so that a comment, another spelling or anything else that
    /// a reader skips cannot hide in it.
    ///
    /// - Parameters:
    ///   - bytes: the file, already read without errors.
    ///   - canonical: what ``Emitter`` writes for it.
    /// - Throws: ``InputFailure`` at the first character that differs.
    public static func require(_ bytes: [UInt8], equals canonical: [UInt8], file: String) throws(InputFailure) {
        guard bytes != canonical else { return }
        let offset =
            zip(bytes, canonical).enumerated().first { $0.element.0 != $0.element.1 }?.offset
            ?? min(bytes.count, canonical.count)
        var source = SourceText(bytes: bytes, file: file)
        var expected = SourceText(bytes: canonical, file: file)
        let mark = source.mark(ofCharacterAt: offset)
        let note =
            if offset == canonical.count {
                "it would end here"
            } else if offset == bytes.count, canonical[offset] == UInt8(ascii: "\n") {
                "its last line would end with a line feed"
            } else {
                "it would be written: \(expected.excerpt(at: mark).text)"
            }
        throw source.failure(at: mark, "the file is not in the form that the program writes", note: note)
    }
}
