internal import Glibc
internal import YAML

/// Text for people on standard output: one line at a time, whatever comes from outside escaped, colour where wanted.
package struct Terminal: Sendable {
    private let isColored: Bool
    private let output: Int32

    package enum Style: String {
        case plain = ""
        case bold = "1"
        case green = "32"
        case yellow = "33"
        case red = "31"
        case faint = "2"
    }

    /// - Parameters:
    ///   - color: whether `styled` has an effect.
    ///   - isOnErrorOutput: all text goes to standard error, since standard output is for programs.
    package init(_ color: ColorOptions, isOnErrorOutput: Bool = false) {
        output = isOnErrorOutput ? STDERR_FILENO : STDOUT_FILENO
        isColored = color.isOn(output)
    }

    package func styled(_ text: String, _ style: Style) -> String {
        isColored && style != .plain ? "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m" : text
    }

    /// Makes text from a worker, a file or a user safe for one line.
    package func escape(_ text: String) -> String { VisibleText.escape(text, for: .terminal) }

    /// Written at once, so that a reader of a pipe sees it when it happens. Gives up where nobody reads any more, or the
    /// disk is full: a rollout must not end for want of a reader.
    package func print(_ line: String) { try? HostFiles.writeAll(Array((line + "\n").utf8), to: output) }

    /// For what went wrong, so that it is seen where standard output goes to a file.
    package func printError(_ line: String) { printNotice(line) }

    /// All lines of what a command printed, each safe for one line.
    package func lines(_ bytes: [UInt8]) -> [String] {
        if bytes.isEmpty { return [] }
        let text = String(decoding: bytes.last == 10 ? bytes.dropLast() : bytes[...], as: UTF8.self)
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { escape(String($0)) }
    }

    /// The last lines of what a command printed, indented, at most `count`.
    package func tail(_ bytes: [UInt8], count: Int) -> [String] {
        String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).suffix(count)
            .map { escape(String($0.prefix(400))) }
    }
}
