import Commands
import Executor
import Foundation
import Model

/// Sleeps until a window opens, in short pieces: a machine that was suspended, or a clock that was set, is noticed.
struct Waiting {
    private static let piece: Int64 = 5_000

    /// - Throws: `Failure` with exit code 75 where a signal ends the waiting.
    ///
    /// - Parameter isEnded: looked at between the pieces; says why nobody waits any more.
    static func until(
        _ instant: Timestamp, _ clock: Clock, _ requests: AsyncStream<ParkRequest>,
        isEnded: @escaping @Sendable () throws -> String?
    ) async throws {
        try await withThrowingTaskGroup(of: String?.self) { group in
            group.addTask {
                for await request in requests { return request.reason }
                return nil
            }
            group.addTask {
                repeat {
                    let rest = instant.milliseconds - clock.now().milliseconds
                    // Also where it has come already, so that nobody can turn in circles without a pause.
                    try await clock.sleep(.milliseconds(min(max(rest, 200), Self.piece)))
                    if let reason = try isEnded() { return reason }
                } while clock.now() < instant
                return nil
            }
            defer { group.cancelAll() }
            if let reason = try await group.next() ?? nil {
                throw Failure(.tryLater, "\(reason) ended the waiting. Run the same command again.")
            }
        }
    }
}
