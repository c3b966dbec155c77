import ArgumentParser
import Catalog
import Commands
import Foundation
import Model
import RunViews
import ThisHost
import UseCases

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Shows where a run stands; works while it runs, from another terminal too.",
        discussion: """
            At most one screen, also for a thousand workers: a line for each job with what became of its allocations, then what \
            went wrong, what was left behind, and what to do now. If the output is no terminal, a screen has 40 lines.
            """)

    @OptionGroup var options: ApplyOptions

    @Argument(help: "The run's number; without it the latest.") var run: RunID?

    @Option(help: "How to print.") var format = OutputFormat.text

    @Flag(help: "Show it again whenever it changes, until no process executes the run any more.") var watch = false

    @Flag(help: "Show also what became of each allocation and worker, and all steps that are open.") var workers = false

    func run() async throws {
        try await reportingFailures(isJSON: format == .json) {
            guard let first = try report() else {
                if let run { throw RolloutError.noSuchRun(run) }
                options.terminal.print(format == .json ? "null" : "There is no run yet.")
                return
            }
            guard watch else { return options.terminal.print(try text(of: first)) }
            try await follow(first)
        }
    }

    private func follow(_ first: RunReport) async throws {
        var view = StatusView(
            options.terminal, isDrawn: format == .text && StatusView.isPossible, separator: format == .text ? "\n" : "")
        var report = first
        var pause = Duration.seconds(1)
        try view.show(text(of: report))
        while report.isExecuted {
            try await Clock.system.sleep(pause)
            let began = ContinuousClock.now
            guard let next = try self.report() else { return }
            report = next
            try view.show(text(of: report))
            // It costs at most a fifth of the time.
            pause = max(.seconds(1), (ContinuousClock.now - began) * 4)
        }
    }

    private func report() throws -> RunReport? {
        try options.catalog().flatMap { try RunReport($0, bucket: options.folder, run) }
    }

    private func text(of report: RunReport) throws -> String {
        switch format {
        case .text:
            report.lines(options.terminal, size: StatusView.size, showsWorkers: workers).joined(separator: "\n")
        case .json: try report.document.text()
        }
    }
}

/// Shows a text again and again: in place on a terminal, or else one below the other.
struct StatusView {
    private let terminal: Terminal
    private let isDrawn: Bool
    private let separator: String
    private var last: String?

    /// Whether standard output is a terminal that can be drawn on.
    static var isPossible: Bool {
        isatty(STDOUT_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    }

    /// Rows that the text may have; one is left for the cursor. Without a terminal lines are not cut.
    static var size: (columns: Int, rows: Int) {
        var size = winsize()
        let isKnown =
            isatty(STDOUT_FILENO) == 1 && ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 0
            && size.ws_col > 0
        return isKnown ? (Int(size.ws_col), Int(size.ws_row) - 1) : (.max / 2, StatusScreen.usualRows)
    }

    /// - Parameter separator: comes before each text but the first, unless it is drawn.
    init(_ terminal: Terminal, isDrawn: Bool, separator: String) {
        self.terminal = terminal
        self.isDrawn = isDrawn
        self.separator = separator
    }

    /// - Parameter text: lines without escape sequences but for colors.
    mutating func show(_ text: String) throws {
        if text == last { return }
        defer { last = text }
        guard isDrawn else { return terminal.print(last == nil ? text : separator + text) }
        // To the first row; each line ends what stood there, and all that stood below goes. In one write, so that nothing flickers.
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { $0 + "\u{1b}[K" }
        terminal.print((last == nil ? "\u{1b}[2J" : "") + "\u{1b}[H" + lines.joined(separator: "\n") + "\u{1b}[J")
    }
}
