internal import JobFiles
internal import Model
internal import Plans
internal import YAML

/// A job's `manifest.json`.
struct Manifest: Sendable {
    /// As it is spelled; nil where the manifest has none.
    var version: Version?
    /// Labels that a worker has to carry, all of them, folded; at least one.
    var selectors: [String] = []
    /// The same as the file has them.
    var spelledSelectors: [String] = []
    /// Where the file has them; nil if they follow from the job's name.
    var selectorsNode: Node?
    var restartPolicy = RestartPolicy.always
    /// Empty unless the policy is `reload`.
    var restartGlobs: [Glob] = []
    /// 0 means all at once.
    var maximumStarts = 0
    /// At least 1.
    var maximumUpgrades = 1
    /// Sizes of the upgrade batches, one after the other; the last repeats. Empty: `maximumUpgrades` each. None is zero, and
    /// a share of the job's active allocations is at least one of them.
    var batches: [HostCount] = []
    /// The worker tag of which no batch holds two values.
    var spread: String?
    /// Where the manifest names that tag.
    var spreadNode: Node?
    var newHosts = NewHosts.first
    /// Where the manifest has it.
    var newHostsNode: Node?
    var minimumAllocations = 0
    /// Where the manifest has that number.
    var minimumNode: Node?
    var memory = Bounds()
    var cpu = Bounds()
    /// Sorted by name.
    var ports: [Port] = []
    /// Seconds; see `Plan.Batching.bakeSeconds`.
    var bakeSeconds = 0
    var maxFailures = 0
    /// See `Plan.Batching.maxUnreachable`.
    var maxUnreachable = HostCount.hosts(0)
    /// Allocations that may be unavailable at a time when workers are rebooted; nil means any number.
    var maxUnavailable: HostCount?
    var commands: [Command] = []
    /// Jobs that have to be rolled out before this one, beside those that its commands demand.
    var after: [Predecessor] = []
    var healthCheck: HealthCheckTemplate?
    /// Where the manifest has it.
    var healthCheckNode: Node?
    var timeouts = Plan.Timeouts()
    var repeatable: [LifecycleAction] = []
    /// Files that the running service rewrites.
    var changedByService: [Glob] = []
    /// Modes of files on workers.
    var fileModes = FileModes()

    /// Certificates that its workers have, sorted by name.
    var certificates: [CertificateRequest] = []
    /// The authorities' certificates are among the job's files although it has none of its own.
    var wantsAuthorities = false

    /// Whether the manifest has checks; `health_check` may say only how often hooks are asked.
    var hasChecks: Bool { healthCheck?.checks.isEmpty == false }

    /// How a phase is cut where `active` allocations of the job are not disabled.
    func batching(active: Int) -> Plan.Batching {
        var sizes = batches.map { max($0.resolved(of: active), 1) }
        let last = sizes.popLast() ?? maximumUpgrades
        while sizes.last == last { sizes.removeLast() }
        return Plan.Batching(
            starts: maximumStarts, upgrades: last, first: sizes, spread: spread, bakeSeconds: bakeSeconds,
            maxFailures: maxFailures, maxUnreachable: maxUnreachable.resolved(of: active))
    }

    /// How an update is applied to an allocation that runs.
    enum RestartPolicy: String, CaseIterable, Sendable {
        case always, reload, never
    }

    /// When allocations that start have their turn, if others are upgraded.
    enum NewHosts: String, CaseIterable, Sendable {
        case first, with, last
    }

    /// What a job may reserve on each of its workers; zero where the manifest says nothing.
    struct Bounds: Sendable {
        var minimum = Quantity.zero
        var maximum = Quantity.zero

        var isUnset: Bool { minimum == .zero && maximum == .zero }
    }

    struct Port: Sendable {
        var name: String
        /// Nil where the port is assigned from the bucket's range.
        var number: Int?
        var node: Node
    }

    struct Command: Sendable {
        var name: String
        var events: [Event]
        var demand: Demand?
        /// Where it is unknown whether it ran, it may run again.
        var isRepeatable = false
        var node: Node
    }

    /// A job that `after` names.
    struct Predecessor: Sendable {
        var job: String
        var node: Node
    }

    /// When a command runs.
    enum Event: String, CaseIterable, Sendable {
        case postBuild = "post_build"
        case preDeploy = "pre_deploy"
        case postDeploy = "post_deploy"
        case jobControl = "job_control"
        case healthCheck = "health_check"
        case cli
        case afterAllocationStarted = "after_allocation_started"
        case afterAllocationStopped = "after_allocation_stopped"
        case beforeBatch = "before_batch"
        case beforeAllocation = "before_allocation"
        case afterAllocationHealthy = "after_allocation_healthy"
        case afterAllocation = "after_allocation"

        /// Nil where nothing runs the command.
        var hookEvent: HookEvent? {
            switch self {
            case .postBuild: .postBuild
            case .cli: .cli
            case .preDeploy: .preDeploy
            case .postDeploy: .postDeploy
            case .jobControl: .jobControl
            case .healthCheck: .healthCheck
            case .afterAllocationStarted: .afterAllocationStarted
            case .afterAllocationStopped: .afterAllocationStopped
            case .beforeBatch: .beforeBatch
            case .beforeAllocation: .beforeAllocation
            case .afterAllocationHealthy: .afterAllocationHealthy
            case .afterAllocation: .afterAllocation
            }
        }
    }

    /// A command of another job that has to be there before this one's job is rolled out.
    struct Demand: Sendable {
        var job: String
        var command: String
        var minimum: Version?
        var maximum: Version?
        /// `config` as JSON, for the hooks of the upstream job.
        var config = "{}"
        /// Where the manifest names the job and the command.
        var jobNode: Node
        var commandNode: Node
        /// Where it has the bounds.
        var minimumNode: Node?
        var maximumNode: Node?
    }

    /// A health check whose ports are still names.
    struct HealthCheckTemplate: Sendable {
        var timeoutSeconds = 5
        var attempts = 30
        var intervalSeconds = 1
        var initialDelaySeconds = 0
        var successes = 1
        var checks: [Check] = []

        struct Check: Sendable {
            /// With any number for a port that has a name.
            var check: HealthCheck.Check
            var port: PortReference?
        }

        enum PortReference: Sendable {
            case number(Int)
            /// And where the manifest has it.
            case name(String, Node)
        }

        /// The check with numbers for names.
        func resolved(_ ports: [String: Int]) -> HealthCheck {
            func number(_ reference: PortReference) -> Int {
                switch reference {
                case .number(let number): number
                // The reader accepts only names of the same manifest, and all of those are assigned.
                case .name(let name, _): ports[name] ?? 0
                }
            }
            return HealthCheck(
                timeoutSeconds: timeoutSeconds, attempts: attempts, intervalSeconds: intervalSeconds,
                checks: checks.map { template in
                    var check = template.check
                    check.port = template.port.map(number)
                    return check
                }, initialDelaySeconds: initialDelaySeconds, successes: successes)
        }
    }
}
