import ArgumentParser
import Executor
import Foundation
import Model

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Begins or continues the run of a plan file (the default command).")

    @OptionGroup var options: BucketOptions

    @Argument(help: "The plan file, or `-` for standard input.", completion: .file())
    var plan: String

    @Flag(help: "Make a new attempt of what failed or was unreachable; recorded.")
    var retryFailed = false

    @Option(help: "Park after this wave, such as `wave:0`.")
    var until: WaveLimit?

    func run() async throws {
        try await reportingFailures {
            let file = try PlanFile.read(readPlan(), file: plan == "-" ? "standard input" : plan)
            let lock = try options.lock(plan: file.id)
            try await withExtendedLifetime(lock) { try await apply(file) }
        }
    }

    private func apply(_ file: PlanFile) async throws {
        let terminal = options.terminal
        let progress = ProgressPrinter(terminal)
        let rollout = try options.rollout(progress.show)
        let ending = try await rollout.apply(
            file,
            options: .init(
                retryFailed: retryFailed,
                lastWave: until.map { limit in
                    file.plan.waves.lastIndex { $0.deploymentSequence <= limit.sequence } ?? -1
                }),
            parkRequests: Signals.parkRequests())
        switch ending {
        case .nothingToDo:
            terminal.print("Nothing to do: the plan holds no action.")
        case .alreadyDone(let run):
            terminal.print("Done already: run \(run.id) of this plan succeeded. Nothing was touched.")
        case .ended(let run, let result, let problems):
            progress.conclude(run, result, problems)
            if let status = Self.status(of: result) { throw ExitCode(status.rawValue) }
        }
    }

    private static func status(of result: StepMachine.Result) -> ExitStatus? {
        switch result {
        case .succeeded: nil
        case .failed: .failed
        case .stale: .stale
        case .unknown: .decisionNeeded
        case .parked: .tryLater
        }
    }

    private func readPlan() throws -> [UInt8] {
        let handle: FileHandle
        if plan == "-" {
            handle = .standardInput
        } else {
            guard let opened = FileHandle(forReadingAtPath: plan) else {
                throw CommandFailure(.invalid, "\(plan) cannot be read: \(String(cString: strerror(errno)))")
            }
            handle = opened
        }
        // One byte more than allowed, so that the reader can say that it is too large.
        let data = try handle.read(upToCount: PlanFile.maximumSize + 1) ?? Data()
        return Array(data)
    }
}

/// `wave:N`, where N is a `deployment_seq`.
struct WaveLimit: ExpressibleByArgument {
    let sequence: Int

    init?(argument: String) {
        guard argument.hasPrefix("wave:"), let sequence = Int(argument.dropFirst(5)), sequence >= 0 else { return nil }
        self.sequence = sequence
    }
}
