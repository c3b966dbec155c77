/// An input was refused: everything that was found wrong with it, in the order of the file.
public struct InputFailure: Error, Sendable, CustomStringConvertible {
    /// At least one.
    public let diagnostics: [Diagnostic]
    /// How many more were found than are listed.
    public let omitted: Int

    public init(_ first: Diagnostic, _ others: [Diagnostic] = [], omitted: Int = 0) {
        diagnostics = [first] + others
        self.omitted = omitted
    }

    public var description: String {
        var text = diagnostics.map(\.description).joined(separator: "\n")
        if omitted > 0 { text += "\nand \(omitted) more \(omitted == 1 ? "error" : "errors")" }
        return text
    }
}
