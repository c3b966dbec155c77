internal import Foundation
public import Model

/// Wall-clock time as a parameter.
public struct Clock: Sendable {
    public let now: @Sendable () -> Timestamp
    public let sleep: @Sendable (_ duration: Duration) async throws -> Void

    public init(
        now: @escaping @Sendable () -> Timestamp, sleep: @escaping @Sendable (_ duration: Duration) async throws -> Void
    ) {
        self.now = now
        self.sleep = sleep
    }

    /// This machine's.
    public static let system = Clock(
        now: { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) },
        sleep: { try await Task.sleep(for: $0) })
}
