import Glibc
import Synchronization

/// Keeps what a live view changes of the terminal, and gives it back however the process ends: at its end, by a signal, in a
/// crash. A process that is killed (SIGKILL) cannot give it back; `reset` does then.
enum TerminalState {
    // Written before `isChanged` is set, and only read by the handlers.
    nonisolated(unsafe) private static var saved = termios()
    private static let isChanged = Atomic<Bool>(false)
    private static let isPrepared = Atomic<Bool>(false)
    /// The process was stopped and goes on: what was drawn may be gone.
    private static let wasStopped = Atomic<Bool>(false)

    /// Whether standard output is a terminal that can show a live view, and this process has it.
    static var isUsable: Bool {
        isatty(STDOUT_FILENO) == 1 && tcgetpgrp(STDOUT_FILENO) == getpgrp()
    }

    /// Columns and rows; 80 and 24 if the terminal does not say.
    static var size: (columns: Int, rows: Int) {
        var size = winsize()
        let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 0 && size.ws_col > 0
        return isKnown ? (Int(size.ws_col), Int(size.ws_row)) : (80, 24)
    }

    /// What is typed is not shown from now on, since it would stand in what is drawn.
    static func change() {
        guard !isChanged.load(ordering: .acquiring), tcgetattr(STDOUT_FILENO, &saved) == 0 else { return }
        prepare()
        isChanged.store(true, ordering: .releasing)
        hideTyping()
    }

    private static func hideTyping() {
        var silent = saved
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDOUT_FILENO, TCSANOW, &silent)
    }

    /// Shows the cursor and what is typed. Calls only what a signal handler may.
    static func restore() {
        guard isChanged.exchange(false, ordering: .acquiringAndReleasing) else { return }
        giveBack()
    }

    private static func giveBack() {
        // The end of a synchronized update, and the cursor.
        let bytes: StaticString = "\u{1b}[?2026l\u{1b}[?25h"
        _ = write(STDOUT_FILENO, bytes.utf8Start, bytes.utf8CodeUnitCount)
        tcsetattr(STDOUT_FILENO, TCSANOW, &saved)
    }

    /// Whether the process was stopped since this was asked last.
    static func takeStopped() -> Bool { wasStopped.exchange(false, ordering: .acquiringAndReleasing) }

    private static func prepare() {
        guard !isPrepared.exchange(true, ordering: .acquiringAndReleasing) else { return }
        atexit { TerminalState.restore() }
        for number in [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT, SIGFPE] {
            signal(number) { number in
                TerminalState.restore()
                signal(number, SIG_DFL)
                raise(number)
            }
        }
        signal(SIGTSTP) { _ in
            guard TerminalState.isChanged.load(ordering: .acquiring) else {
                kill(getpid(), SIGSTOP)
                return
            }
            TerminalState.giveBack()
            kill(getpid(), SIGSTOP)
            // Here it goes on.
            TerminalState.hideTyping()
            TerminalState.wasStopped.store(true, ordering: .releasing)
        }
    }
}
