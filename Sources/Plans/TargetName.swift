/// The names that targets of a Makefile may have in `run-target`.
public enum TargetName {
    /// Whether a text is letters, digits and `_.-`, begins with a letter or a digit, and has at most 128 characters: the names
    /// that Maand takes.
    public static func isValid(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
        }
        guard let first = bytes.first, bytes.count <= 128, isAlphanumeric(first) else { return false }
        return bytes.allSatisfy { isAlphanumeric($0) || $0 == 95 || $0 == 46 || $0 == 45 }
    }
}
