import Commands
import Executor
import Foundation
import Synchronization

/// Turns SIGINT, SIGTERM and SIGHUP into requests to park; the second SIGINT or SIGTERM leaves at once.
///
/// Handlers rather than ignored signals: what is ignored stays ignored in the commands that a process starts.
enum Signals {
    // Written once, before the handlers that read it are installed.
    nonisolated(unsafe) private static var writeEnd: Int32 = -1

    /// From now on a pipe without a reader is an error of `write` and not the end of this process. A handler, so that the
    /// programs that are started get the default back.
    static func surviveClosedPipes() { signal(SIGPIPE) { _ in } }

    private struct Received {
        var isInstalled = false
        var requests: [ParkRequest] = []
        var listener: AsyncStream<ParkRequest>.Continuation?
    }

    private static let received = Mutex(Received())

    /// Every request of this process, those before the call too: the next listener has to obey what the one before may
    /// not have heard. There is one listener at a time.
    static func parkRequests() -> AsyncStream<ParkRequest> {
        install()
        return AsyncStream { continuation in
            received.withLock { received in
                for request in received.requests { continuation.yield(request) }
                received.listener = continuation
            }
        }
    }

    private static func install() {
        let isFirst = received.withLock { received in
            defer { received.isInstalled = true }
            return !received.isInstalled
        }
        var ends: [Int32] = [-1, -1]
        guard isFirst, pipe(&ends) == 0 else { return }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        writeEnd = ends[1]
        let readEnd = ends[0]
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal(number) { number in
                var byte = UInt8(truncatingIfNeeded: number)
                // A full pipe means that enough requests wait already.
                _ = write(Signals.writeEnd, &byte, 1)
            }
        }
        Thread.detachNewThread {
            var byte: UInt8 = 0
            var count = 0
            var first: ContinuousClock.Instant?
            while true {
                let got = read(readEnd, &byte, 1)
                if got < 0 && errno == EINTR { continue }
                guard got == 1 else { break }
                // A closed terminal is nobody's wish to leave at once, nor are two signals of `timeout`, which sends one to the
                // process and one to its group.
                let isDouble =
                    Int32(byte) == SIGTERM && first.map { $0.duration(to: .now) < .milliseconds(200) } == true
                if Int32(byte) != SIGHUP, !isDouble { count += 1 }
                first = first ?? .now
                // Everything that matters is in the database: leaving here is a kill in good order.
                if count > 1 {
                    TerminalState.restore()
                    let text = Array(
                        "\nLeft at once. What runs on workers goes on; the same command continues the run.\n".utf8)
                    _ = write(STDERR_FILENO, text, text.count)
                    _exit(Exit.tryLater.rawValue)
                }
                let request = ParkRequest(.signal(name(Int32(byte))))
                received.withLock { received in
                    received.requests.append(request)
                    received.listener?.yield(request)
                }
            }
        }
    }

    private static func name(_ number: Int32) -> String {
        switch number {
        case SIGINT: "SIGINT"
        case SIGTERM: "SIGTERM"
        default: "SIGHUP"
        }
    }
}
