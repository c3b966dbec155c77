/// What has to hold on every active allocation before anything that comes after a gate.
public struct HealthCheck: Equatable, Sendable {
    /// Seconds of one try of one check; in `timeoutRange`.
    public var timeoutSeconds: Int
    /// How often the checks are tried; in `attemptRange`.
    public var attempts: Int
    /// Seconds between two tries; in `intervalRange`.
    public var intervalSeconds: Int
    /// Seconds before the first try; in `delayRange`.
    public var initialDelaySeconds: Int
    /// How many tries in a row have to pass on every allocation, one interval apart; in `successRange`.
    public var successes: Int
    /// All must pass. Empty where hooks of the event `health_check` are all that is asked.
    public var checks: [Check]

    public init(
        timeoutSeconds: Int, attempts: Int, intervalSeconds: Int, checks: [Check], initialDelaySeconds: Int = 0,
        successes: Int = 1
    ) {
        self.timeoutSeconds = timeoutSeconds
        self.attempts = attempts
        self.intervalSeconds = intervalSeconds
        self.checks = checks
        self.initialDelaySeconds = initialDelaySeconds
        self.successes = successes
    }

    /// What `timeoutSeconds` may be.
    public static let timeoutRange = 1...3600
    /// What `attempts` may be.
    public static let attemptRange = 1...10000
    /// What `intervalSeconds` may be.
    public static let intervalRange = 0...3600
    /// What `initialDelaySeconds` may be.
    public static let delayRange = 0...3600
    /// What `successes` may be.
    public static let successRange = 1...1000
    /// What the status that a check expects may be.
    public static let statusRange = 100...599

    /// One question to an allocation.
    public enum Check: Equatable, Sendable {
        /// A connection is accepted.
        case tcp(port: Int)
        /// `scheme` is `http`; a GET answers with exactly `expectStatus`.
        case http(port: Int, path: String, expectStatus: Int)
        /// The command exits 0 on the worker. It begins in the bucket's folder there.
        case ssh(command: String)

        /// The words for the checks, in manifests and plans.
        public enum Kind: String, Sendable, CaseIterable {
            case tcp, http, ssh
        }

        /// The word for the check.
        public var kind: Kind {
            switch self {
            case .tcp: .tcp
            case .http: .http
            case .ssh: .ssh
            }
        }
    }
}
