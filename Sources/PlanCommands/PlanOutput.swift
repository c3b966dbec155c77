import ArgumentParser
import Catalog
import Commands
import Glibc
import Model
import Planner
import Plans
import Review
import UseCases
import YAML

/// What all commands that make a plan have in common: against what it is made, when it may run, where it is written.
struct PlanOutput: ParsableArguments {
    @Option(
        name: .shortAndLong, help: ArgumentHelp("The file to write; without it, standard output.", valueName: "file"))
    var output: String?

    @Flag(help: "Replace the file that -o names where it holds another plan.")
    var overwrite = false

    @Option(
        help: ArgumentHelp(
            "Plan against this file, from `maand-plan catalog export`, in place of the bucket's own catalog.",
            valueName: "file"))
    var catalog: String?

    @Option(
        help: ArgumentHelp(
            """
            When the plan may run, such as "third thu 22:00 for 4h in Europe/Berlin cutoff 15m", or a file that says so; \
            several openings with `and`, fixed ones as "2026-12-01T22:00 to 2026-12-02T02:00 in Europe/Berlin".
            """, valueName: "window"))
    var window: String?

    @Option(
        help: ArgumentHelp(
            "The run has to begin before this instant, such as 2026-12-01T12:00:00Z.", valueName: "instant"))
    var startBefore: String?

    func timing() throws -> Planning.Timing {
        let timing = Planning.Timing(
            window: try window.map(WindowInput.window), startBefore: try startBefore.map(WindowInput.instant))
        let now = Timestamp.now
        if let limit = timing.startBefore, limit <= max(now, timing.window?.nextOpening(from: now) ?? now) {
            printNotice("warning: by --start-before and --window this plan can never begin.")
        }
        return timing
    }

    /// Refuses to replace a file before anything is done for the plan.
    func checkIsFree() throws {
        guard let output else { return }
        if !overwrite, access(output, F_OK) == 0 {
            throw Failure(.usage, "\(output) is there already", "replace it with --overwrite, or name another file")
        }
        let folder = output.lastIndex(of: "/").map { output[...$0] } ?? "."
        if access(String(folder), W_OK) != 0 {
            throw Failure(
                .failed, code: .fileNotWritten, "\(output) cannot be written: \(String(cString: strerror(errno)))")
        }
    }

    /// Keeps what the plan pushes and runs, then writes the plan.
    func write(_ result: PlanningResult, keepingContentIn store: ContentStore) throws {
        for warning in result.warnings { printNotice(warning.description) }
        let file = PlanFile(result.plan)
        if file.bytes.count > PlanFile.maximumSize {
            throw Failure(
                .invalidInput,
                "the plan has \(file.bytes.count >> 20) MiB, and at most \(PlanFile.maximumSize >> 20) can be read",
                "plan some of the jobs at a time, with --jobs")
        }
        try Self.keep(result, in: store)
        if let output {
            try write(file, to: output)
        } else {
            try printResult(file.bytes)
        }
        printNotice(result.plan.summaryLine + (output.map { " Wrote \($0), \(file.id)." } ?? ""))
    }

    /// Keeps what a plan pushes and runs.
    static func keep(_ result: PlanningResult, in store: ContentStore) throws {
        try keep(result.capture, result.trees, in: store)
    }

    /// Keeps files and lists of files.
    static func keep(
        _ capture: [PlanningResult.Capture], _ trees: [Tree] = [], in store: ContentStore
    ) throws {
        let content = capture.map { item in
            switch item.source {
            case .bytes(let bytes): ContentStore.Capture(item.digest, .bytes(bytes))
            case .file(let path): ContentStore.Capture(item.digest, .file(path))
            }
        }
        try store.capture(content + trees.map { ContentStore.Capture($0.digest, .bytes($0.text)) })
    }

    private func write(_ file: PlanFile, to path: String) throws {
        var isRefused = false
        do {
            switch try HostFiles.write(file.bytes, to: path, overwrite: overwrite) {
            case .written, .unchanged: break
            case .refused: isRefused = true
            }
        } catch {
            throw Failure(.failed, code: .fileNotWritten, "\(path) was not written: \(error.message)")
        }
        if isRefused {
            throw Failure(
                .usage, "\(path) is there and holds something else", "replace it with --overwrite, or name another file"
            )
        }
    }
}
