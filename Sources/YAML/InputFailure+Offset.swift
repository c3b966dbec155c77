extension InputFailure {
    /// A failure at one byte of a file that was read, with its line and a caret.
    ///
    /// - Parameter offset: 0...bytes.count.
    public init(atByte offset: Int, of bytes: [UInt8], file: String, _ message: String, note: String? = nil) {
        var source = SourceText(bytes: bytes, file: file)
        self = source.failure(at: source.mark(atOffset: offset), message, note: note)
    }
}
