public import Model
internal import YAML

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
        fields.required("type", &kind, "how is asked")
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
            fields.required("command", &command, "exits with 0 on the worker")
            self = .ssh(command: command)
        }
    }
}
