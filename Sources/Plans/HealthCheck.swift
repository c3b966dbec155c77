internal import YAML

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

        /// The port that is asked; nil if none is.
        public var port: Int? {
            get {
                switch self {
                case .tcp(let port), .http(let port, _, _): port
                case .ssh: nil
                }
            }
            set {
                guard let newValue else { return }
                switch self {
                case .tcp: self = .tcp(port: newValue)
                case .http(_, let path, let status): self = .http(port: newValue, path: path, expectStatus: status)
                case .ssh: break
                }
            }
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

// MARK: Fields

extension HealthCheck: Record, FieldValue {
    static let title = "health_check"
    static let meaning = "What gates ask. The fields are those of the manifest, with numbers for the names of ports."
    static let style = Emitter.Style.block
    static let blank = HealthCheck(timeoutSeconds: 1, attempts: 1, intervalSeconds: 0, checks: [])

    mutating func visit(_ fields: inout some Fields) {
        fields.required("timeout_seconds", &timeoutSeconds, .integer(Self.timeoutRange), "of one try of one check")
        fields.required("attempts", &attempts, .integer(Self.attemptRange), "how often the checks are tried")
        fields.required(
            "interval_seconds", &intervalSeconds, .integer(Self.intervalRange), "seconds between two tries")
        fields.optional(
            "initial_delay_seconds", &initialDelaySeconds, .integer(Self.delayRange), default: 0,
            "seconds before the first try")
        fields.optional(
            "successes", &successes, .integer(Self.successRange), default: 1,
            "how many tries in a row have to pass")
        fields.required("checks", &checks, "all must pass. Empty if only hooks are asked")
    }
}

extension HealthCheck.Check: Record, FieldValue {
    static let title = "check"
    static let meaning = "One question to an allocation."
    static var blank: Self { Self(blank: .tcp) }
    static var forms: [Self] { Kind.allCases.map(Self.init(blank:)) }

    private init(blank kind: Kind) {
        self =
            switch kind {
            case .tcp: .tcp(port: 1)
            case .http: .http(port: 1, path: "", expectStatus: 200)
            case .ssh: .ssh(command: "")
            }
    }

    mutating func visit(_ fields: inout some Fields) {
        var kind = kind
        guard fields.form("type", &kind, among: [kind], "how the check is made") else { return }
        if kind != self.kind { self = Self(blank: kind) }
        switch self {
        case .tcp(var port):
            fields.required("port", &port, .integer(Plan.portRange), "a connection to it is accepted")
            self = .tcp(port: port)
        case .http(var port, var path, var expectStatus):
            fields.required("port", &port, .integer(Plan.portRange), "where the request goes")
            fields.required("path", &path, "what is requested")
            fields.required(
                "expect_status", &expectStatus, .integer(HealthCheck.statusRange), "the status of the answer")
            self = .http(port: port, path: path, expectStatus: expectStatus)
        case .ssh(var command):
            fields.required("command", &command, "a command; it has to exit with 0 on the worker")
            self = .ssh(command: command)
        }
    }
}
