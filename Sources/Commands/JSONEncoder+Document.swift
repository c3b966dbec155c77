package import Foundation

extension JSONEncoder {
    /// For what a command prints as its whole answer.
    package static var document: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return encoder
    }
}
