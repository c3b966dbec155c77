internal import Glibc
internal import Synchronization

/// Places where a test may end the process, as a power cut would: around every checkpoint and every word to a worker.
///
/// Builds with the trait `TestHooks` read two variables of the environment; others hold none of this.
/// - `MAAND_FAULT_LOG`: a file to which the name of each place is appended when it is reached.
/// - `MAAND_FAULT_AT`: the number of the place, from 1, at which the process kills itself with SIGKILL.
package enum FaultPoint {
    #if TestHooks
        private static let reached = Mutex(0)
        private static let log = getenv("MAAND_FAULT_LOG").map { String(cString: $0) }
        private static let fatal = getenv("MAAND_FAULT_AT").flatMap { Int(String(cString: $0)) }

        package static func reach(_ name: String) {
            guard log != nil || fatal != nil else { return }
            reached.withLock { count in
                count += 1
                if let log, let file = fopen(log, "a") {
                    fputs("\(count) \(name)\n", file)
                    fclose(file)
                }
                if count == fatal { kill(getpid(), SIGKILL) }
            }
        }
    #else
        @inline(__always) package static func reach(_ name: @autoclosure () -> String) {}
    #endif
}
