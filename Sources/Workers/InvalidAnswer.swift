internal import Model
internal import YAML

/// Why a whole answer is not one that the worker script gives: the worker may be damaged, or in other hands.
///
/// Whatever a worker says goes through here before anything is done with it or recorded.
package struct InvalidAnswer: Error, Sendable {
    /// For people; what the worker said is escaped and cut.
    package let reason: String

    /// - Parameter said: what the worker says there.
    package init(_ what: String, said: some StringProtocol) {
        reason = "\(what): \(Self.cut(said))"
    }

    package init(_ reason: String) { self.reason = reason }

    /// At most 80 characters, none of which does anything to a terminal.
    static func cut(_ text: some StringProtocol) -> String {
        let front = VisibleText.escape(String(String.UnicodeScalarView(text.unicodeScalars.prefix(80))), for: .terminal)
        return text.unicodeScalars.count > 80 ? front + "…" : front
    }
}

/// The grammar of what stands in the records of an answer.
enum AnswerText {
    /// Most bytes of a word.
    static let wordLimit = 200

    /// A name, a number of the script's own, or an id: what ``ShellText/isWord(_:)`` allows.
    static func word(_ text: (some StringProtocol)?, _ what: String) throws(InvalidAnswer) -> String {
        guard let text, text.utf8.count <= wordLimit, ShellText.isWord(String(text)) else {
            throw InvalidAnswer("\(what) is no word", said: text.map { String($0) } ?? "nothing")
        }
        return String(text)
    }

    /// A whole number.
    static func number(
        _ text: (some StringProtocol)?, in range: ClosedRange<Int>, _ what: String
    ) throws(InvalidAnswer) -> Int {
        guard let text, let number = Int(text), range.contains(number) else {
            throw InvalidAnswer("\(what) is no number that it can be", said: text.map { String($0) } ?? "nothing")
        }
        return number
    }
}
