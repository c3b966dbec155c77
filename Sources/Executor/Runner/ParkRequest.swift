/// Asks a run to bring what is in flight to its end and to begin nothing new.
public struct ParkRequest: Equatable, Sendable {
    /// Who asks, for people.
    public var reason: String
    /// The user who asks waits for it to end. What then still runs on a worker is left to it after `patience`: it goes on there,
    /// and the next process asks what became of it.
    public var isUrgent: Bool

    /// How long an urgent request waits for what is in flight on workers.
    static let patience = Duration.seconds(5)

    public init(_ reason: String, isUrgent: Bool) {
        self.reason = reason
        self.isUrgent = isUrgent
    }
}
