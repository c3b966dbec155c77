import Commands
import Glibc
import Plans
import Review

/// Asks a person before a plan runs that nobody has seen as a file.
enum Confirmation {
    /// Shows a plan on one screen, and asks on the terminal whether it is to run. Asks nothing if standard output is no
    /// terminal.
    ///
    /// - Throws: `Failure` if the answer is no, or nobody can be asked.
    static func ask(about file: PlanFile, _ terminal: Terminal) throws {
        guard isatty(STDOUT_FILENO) == 1 else { return }
        var size = winsize()
        let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 0 && size.ws_col > 0
        let (rows, columns) = isKnown ? (Int(size.ws_row), Int(size.ws_col)) : (24, 80)
        for line in TextReview.screen(file, rows: rows - 3, columns: columns) { terminal.print(line) }
        guard let answer = question("Run this plan? [y/N] ") else {
            throw Failure(
                .usage, "nobody can be asked whether the plan is to run: there is no terminal", "say so with --yes")
        }
        guard ["y", "yes"].contains(answer.lowercased()) else {
            throw Failure(.failed, "the plan was not run, as somebody has answered")
        }
    }

    /// The answer of the person at the terminal; nil if there is none.
    private static func question(_ text: String) -> String? {
        guard let device = fopen("/dev/tty", "r+") else { return nil }
        defer { fclose(device) }
        fputs(text, device)
        fflush(device)
        var line = [CChar](repeating: 0, count: 256)
        guard fgets(&line, Int32(line.count), device) != nil else { return nil }
        let bytes = line.prefix { $0 != 0 && $0 != 10 && $0 != 13 }.map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
