import Foundation
import YAML

/// Text for people on standard output: one line at a time, whatever comes from outside escaped, colour where wanted.
struct Terminal: Sendable {
    private let isColored: Bool

    enum Style: String {
        case plain = ""
        case bold = "1"
        case green = "32"
        case yellow = "33"
        case red = "31"
        case faint = "2"
    }

    init(_ choice: ColorChoice) {
        switch choice {
        case .always: isColored = true
        case .never: isColored = false
        case .auto:
            let environment = ProcessInfo.processInfo.environment
            isColored =
                isatty(STDOUT_FILENO) == 1 && environment["NO_COLOR", default: ""].isEmpty
                && environment["TERM"] != "dumb"
        }
    }

    func styled(_ text: String, _ style: Style) -> String {
        isColored && style != .plain ? "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m" : text
    }

    /// Makes text from a worker, a file or a user safe for one line.
    func escape(_ text: String) -> String { VisibleText.escape(text, for: .terminal) }

    /// Written at once, so that a reader of a pipe sees it when it happens.
    func print(_ line: String) { Self.write(line + "\n", to: STDOUT_FILENO) }

    /// For what went wrong, so that it is seen where standard output goes to a file.
    func printError(_ line: String) { Self.write(line + "\n", to: STDERR_FILENO) }

    /// Gives up where nobody reads any more, or the disk is full: a rollout must not end for want of a reader.
    static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }

    /// The last lines of what a command printed, indented, at most `count`.
    func tail(_ bytes: [UInt8], count: Int) -> [String] {
        String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).suffix(count)
            .map { escape(String($0.prefix(400))) }
    }
}
