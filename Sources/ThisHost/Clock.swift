internal import Foundation
internal import Glibc
public import Model

/// Milliseconds since the machine was booted: all of them, and those in which it was not suspended.
public struct Uptime: Equatable, Sendable {
    public var total: Int64
    public var awake: Int64

    public init(total: Int64, awake: Int64) {
        self.total = total
        self.awake = awake
    }

    /// Of this machine.
    public static var now: Uptime {
        func read(_ clock: clockid_t) -> Int64 {
            var time = timespec()
            clock_gettime(clock, &time)
            return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
        }
        return Uptime(total: read(CLOCK_BOOTTIME), awake: read(CLOCK_MONOTONIC))
    }
}

/// Wall-clock time as a parameter.
public struct Clock: Sendable {
    public let now: @Sendable () -> Timestamp
    public let sleep: @Sendable (_ duration: Duration) async throws -> Void
    /// Nobody can set it; it shows where the wall clock was set and when the machine slept.
    public let uptime: @Sendable () -> Uptime

    public init(
        now: @escaping @Sendable () -> Timestamp,
        sleep: @escaping @Sendable (_ duration: Duration) async throws -> Void,
        uptime: @escaping @Sendable () -> Uptime = { .now }
    ) {
        self.now = now
        self.sleep = sleep
        self.uptime = uptime
    }

    #if TestHooks
        /// Tests move the wall clock by `MAAND_TIME_OFFSET` seconds; builds without the trait do not look.
        private static let offset =
            ProcessInfo.processInfo.environment["MAAND_TIME_OFFSET"].flatMap { Int64($0) }.map { $0 * 1000 } ?? 0
    #else
        private static let offset: Int64 = 0
    #endif

    /// This machine's.
    public static let system = Clock(
        now: { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000) + offset) },
        sleep: { try await Task.sleep(for: $0) })
}
