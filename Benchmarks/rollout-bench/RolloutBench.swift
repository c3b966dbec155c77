import Catalog
import Executor
import Foundation
import Model
import Plans
import RunViews
import SimulatedWorkers
import ThisHost
import UseCases
import Workers

/// `rollout-bench BUCKET PLAN SEED LOSS FAILURES LAST [view]`: one process of a rollout on simulated workers, as far as it goes.
///
/// Of 100 words to workers LOSS are lost, of 10,000 commands FAILURES fail; at the word LAST the process is killed (0:
/// never). With `view` it draws what maand-apply shows on a terminal of 200 columns and 50 rows, to /dev/null. Workers remember in BUCKET/journal. Prints one JSON object; times are in seconds, memory is in MB.
@main
struct RolloutBench {
    static func main() async throws {
        let words = CommandLine.arguments
        let numbers = words.dropFirst(3).compactMap { UInt64($0) }
        guard words.count == 7 || words.last == "view", numbers.count == 4 else {
            throw Failure(reason: "usage: rollout-bench BUCKET PLAN SEED LOSS FAILURES LAST [view]")
        }
        let began = ContinuousClock.now
        let folder = words[1]
        let transport = SimulatedTransport(
            seed: numbers[0], lossRate: numbers[1], failureRate: numbers[2], journal: folder + "/journal",
            lastWord: numbers[3] == 0 ? nil : Int(numbers[3]))
        let remembered = ContinuousClock.now - began
        let configuration = try BucketConfiguration.read(contents(folder + "/maand.conf"), file: "maand.conf")
        let view = words.last == "view" ? try BenchView() : nil
        var context = ExecutionContext(
            bucketFolder: folder, configuration: configuration,
            catalog: try Catalog.open(in: folder, bucket: configuration.bucketID), store: ContentStore(in: folder),
            who: ControlHost.who, controller: ControlHost.controller, clock: .system, nonce: ControlHost.nonce,
            passphrase: { _ in nil }, observe: { view?.show($0) })
        context.simulated = transport
        let plan = try PlanFile.read(contents(words[2]), file: words[2])
        let ending = try await ApplyRun(plan, options: .init(retryFailed: true), in: context)
            .apply(parkRequests: AsyncStream { _ in })
        let drawings = view?.stop() ?? 0
        let result: [String: Any] = [
            "drawings": drawings, "cpu": cpuSeconds(),
            "ended": name(of: ending), "steps": StepGraph(plan.plan).steps.count,
            "seconds": seconds(ContinuousClock.now - began - remembered),
            "first_action": transport.lastFirstAction.map { seconds($0 - began - remembered) } ?? 0,
            "executions": transport.executions.count, "most": transport.executions.values.max() ?? 0,
            "commands": transport.commands,
        ]
        let data = try JSONSerialization.data(withJSONObject: result, options: [.sortedKeys])
        print(String(decoding: data, as: UTF8.self))
    }

    struct Failure: Error, CustomStringConvertible {
        let reason: String
        var description: String { reason }
    }

    private static func contents(_ path: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(filePath: path)))
    }

    private static func seconds(_ duration: Duration) -> Double { duration / .seconds(1) }

    /// Of this process, of user and system.
    private static func cpuSeconds() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
    }

    private static func name(of ending: ApplyRun.Ending) -> String {
        switch ending {
        case .nothingToDo: "nothing to do"
        case .alreadyDone: "done already"
        case .ended(_, let result, _, _, _): "\(result)"
        case .wayBackEnded(_, let result, _, _, _, _): "way back: \(result)"
        case .rolledBack: "rolled back"
        case .held: "held"
        case .reachedLimit: "reached its limit"
        }
    }
}
