/// Compares a file with the one spelling of what was read from it.
public enum CanonicalForm {
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
