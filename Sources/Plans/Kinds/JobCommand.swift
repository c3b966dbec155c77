public import Model

/// Runs one command of a job on the controller, once for each allocation, disabled ones too: the work of a plan of the kind
/// `job_command`.
public struct JobCommand: Equatable, Sendable {
    /// As it is in the file: a deploy of one job that runs one hook of the event `cli` or `post_build` and does nothing else.
    var body: Deploy

    /// - Parameters:
    ///   - job: with the command as its only hook, of one of `events`.
    ///   - sequence: the job's place in the demand graph.
    public init(job: Plan.Job, sequence: Int) {
        body = Deploy(unchanged: job.active.count, waves: [.init(deploymentSequence: sequence, jobs: [job])])
    }

    init(body: Deploy = .init()) { self.body = body }

    /// The job, with its allocations and its hook.
    public var job: Plan.Job { body.waves.first?.jobs.first ?? .blank }

    /// Events whose commands run by plans of this kind.
    public static let events: [HookEvent] = [.cli, .postBuild]

    /// The event of the command.
    public var event: HookEvent { Self.events.first { !job.hooks($0).isEmpty } ?? .cli }

    /// The command's name.
    public var command: String { job.hooks(event).first?.command ?? "" }

    func checkKind(_ report: RecordReport) {
        if body.options != .init() { report.error("options", "a plan of the kind `job_command` has no options") }
        if !body.reconcile.isEmpty { report.error("reconcile", "a plan of the kind `job_command` stops nothing") }
        if !body.renames.isEmpty { report.error("renames", "a plan of the kind `job_command` renames nothing") }
        let jobs = body.waves.flatMap(\.jobs)
        guard jobs.count == 1, let job = jobs.first, job.hooks(event).count == 1, job.hooks?.commands.count == 1,
            job.phases.isEmpty,
            job.gateFirst == nil, !job.active.isEmpty || !job.disabled.isEmpty
        else {
            report.error("waves", "a plan of the kind `job_command` runs one command of one job, and nothing else")
            return
        }
    }
}

extension Plan {
    /// Of a plan that runs a command of `post_build`: the command, and what it sees, in short.
    public var preparation: (job: JobName, command: String, inputs: Digest)? {
        guard case .jobCommand(let command) = work, command.event == .postBuild,
            let modules = command.job.hooks?.modules
        else { return nil }
        let inputs = (facts ?? Facts()).inputs(of: command.job.job, modules: modules, command.command)
        return (command.job.job, command.command, inputs)
    }
}
