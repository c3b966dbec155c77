/// An input was refused: everything that was found wrong with it, in the order of the file.
public struct InputFailure: Error, Sendable, CustomStringConvertible {
    /// At least one.
    public let diagnostics: [Diagnostic]
    /// How many more were found than are listed.
    public let omitted: Int

    /// - Parameters:
    ///   - first: what comes first in the file.
    ///   - omitted: errors beside those that are given.
    public init(_ first: Diagnostic, _ others: [Diagnostic] = [], omitted: Int = 0) {
        diagnostics = [first] + others
        self.omitted = omitted
    }

    /// The diagnostics one below the other, safe for a terminal, without a line feed at the end.
    public var description: String {
        var text = diagnostics.map(\.description).joined(separator: "\n")
        if omitted > 0 { text += "\nand \(omitted) more \(omitted == 1 ? "error" : "errors")" }
        return text
    }
}
