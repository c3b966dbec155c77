package import Catalog

/// Asks a run to bring what is in flight to its end and to begin nothing new.
public struct ParkRequest: Equatable, Sendable {
    /// Who asks.
    public enum Source: Equatable, Sendable {
        /// A signal to this process, such as `SIGINT`.
        case signal(String)
        /// A person, by `pause` from another terminal.
        case pause(by: String, reason: String)
    }

    public let source: Source

    /// How long an urgent request waits for what is in flight on workers.
    static let patience = Duration.seconds(5)

    public init(_ source: Source) { self.source = source }

    /// The user who asks waits for the process to end. What then still runs on a worker is left to it after `patience`: it goes
    /// on there, and the next process asks what became of it.
    public var isUrgent: Bool {
        switch source {
        case .signal: true
        case .pause: false
        }
    }

    /// For the catalog.
    package var cause: RunReason {
        switch source {
        case .signal: .signal
        case .pause: .paused
        }
    }

    /// Who asks, for people.
    public var reason: String {
        switch source {
        case .signal(let name): name
        case .pause(let person, let reason): "pause by \(person): \(reason)"
        }
    }
}
