/// Two contents of a file, side by side for a person at a terminal.
public struct ContentDifference {
    /// A unified diff without its head, or a remark on why there is none. Escaped for a terminal; each line is cut.
    public let lines: [String]

    /// - Parameter limit: most lines of the diff.
    public init(from old: [UInt8], to new: [UInt8], limit: Int) {
        switch FileDiff(old, new, limit: limit) {
        case .note(let text): lines = ["(\(text))"]
        case .lines(let shown, let hidden):
            lines = shown.map(FileDiff.text) + (hidden > 0 ? ["(\(Wording.count(hidden, "more line")))"] : [])
        }
    }
}
