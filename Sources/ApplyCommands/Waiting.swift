import Commands
import Executor
import Foundation
import Model
import ThisHost
import UseCases

/// Sleeps until a window opens, in short pieces: a machine that was suspended, or a clock that was set, is noticed.
struct Waiting {
    private static let piece: Int64 = 5_000

    /// - Throws: `Failure` with exit code 75 where a signal ends the waiting.
    ///
    /// - Parameter isEnded: looked at between the pieces; says why nobody waits any more.
    static func until(
        _ instant: Timestamp, _ clock: Clock, _ requests: AsyncStream<ParkRequest>,
        isEnded: @escaping @Sendable () throws -> ParkRequest?
    ) async throws {
        try await withThrowingTaskGroup(of: ParkRequest?.self) { group in
            group.addTask {
                for await request in requests { return request }
                return nil
            }
            group.addTask {
                repeat {
                    let rest = instant.milliseconds - clock.now().milliseconds
                    // Also where it has come already, so that nobody can turn in circles without a pause.
                    try await clock.sleep(.milliseconds(min(max(rest, 200), Self.piece)))
                    if let request = try isEnded() { return request }
                } while clock.now() < instant
                return nil
            }
            defer { group.cancelAll() }
            if let request = try await group.next() ?? nil {
                throw Failure(
                    .tryLater, code: request.code, "\(request.reason) ended the waiting. Run the same command again.")
            }
        }
    }
}
