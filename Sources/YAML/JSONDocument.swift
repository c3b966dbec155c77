/// Reads one JSON text (RFC 8259), strictly, into the same nodes as ``YAMLDocument``.
///
/// Refused, each with its place: double keys, trailing commas, comments, text after the value, leading zeros, control
/// characters in strings, halves of surrogate pairs, bytes that are not UTF-8, a byte order mark, and whatever exceeds
/// the limits. LF and CRLF line ends are both fine.
public enum JSONDocument {
    /// - Parameters:
    ///   - bytes: the whole file.
    ///   - file: its path as the user gave it, for messages.
    /// - Throws: ``InputFailure`` with the first thing that is wrong.
    public static func parse(
        _ bytes: [UInt8], file: String, limits: InputLimits = .standard
    ) throws(InputFailure) -> Node {
        var source = SourceText(bytes: bytes, file: file)
        try source.check(.json, limits: limits)
        do {
            return try bytes.withUnsafeBufferPointer { buffer throws(TreeBuilder.Problem) in
                var parser = JSONParser(buffer, limits: limits)
                return try parser.parse()
            }
        } catch {
            throw source.failure(at: error.mark, error.message, note: error.note)
        }
    }
}
