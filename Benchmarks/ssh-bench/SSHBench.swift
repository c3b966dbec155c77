import Foundation
import Model
import Plans
import Workers

/// `ssh-bench BUCKET PLAN ROUNDS`: times of the ssh transport alone, over the workers of a plan. Prints one JSON object;
/// seconds are medians of the rounds, memory is in MB.
@main
struct SSHBench {
    let transport: any Transport
    let plan: Plan

    static func main() async throws {
        let words = CommandLine.arguments
        guard words.count == 4, let rounds = Int(words[3]), rounds > 0 else {
            throw Failure(reason: "usage: ssh-bench BUCKET PLAN ROUNDS")
        }
        let configuration = try BucketConfiguration.read(contents(words[1] + "/maand.conf"), file: "maand.conf")
        let plan = try PlanFile.read(contents(words[2]), file: words[2]).plan
        let factory = TransportFactory(
            bucketFolder: words[1], configuration: configuration, acceptsNewHosts: false, passphrase: { _ in nil },
            report: { _ in })
        let bench = SSHBench(transport: try await factory.transport(for: plan.fleet), plan: plan)
        let numbers = try await bench.measure(rounds)
        await bench.transport.close()
        let data = try JSONSerialization.data(withJSONObject: numbers, options: [.sortedKeys])
        print(String(decoding: data, as: UTF8.self))
    }

    struct Failure: Error, CustomStringConvertible {
        let reason: String
        var description: String { reason }
    }

    private static func contents(_ path: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(filePath: path)))
    }

    private func measure(_ rounds: Int) async throws -> [String: Double] {
        var numbers: [String: Double] = [:]
        let workers = plan.fleet.workers.map(\.worker.text)
        let cpu = Self.cpu()
        numbers["connect"] = try await Self.time { try await onAll(workers) { try await self.plain($0) } }
        numbers["connect_cpu"] = Self.cpu() - cpu
        numbers["memory"] = Self.memory()
        numbers["threads"] = Double(try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count)
        var bare: [Double] = []
        for _ in 0..<rounds {
            bare.append(try await Self.time { try await onAll(workers) { try await self.plain($0) } })
        }
        numbers["true"] = Self.median(bare)
        let owner = Owner(controller: "bench", sequence: 1, run: WorkerSession.randomNonce())
        let sessions = Dictionary(
            uniqueKeysWithValues: workers.map { worker in
                (
                    worker,
                    WorkerSession(
                        worker: worker, bucket: plan.fleet.bucket, workerRoot: plan.fleet.workerRoot, owner: owner,
                        transport: transport)
                )
            })
        try await onAll(workers) { worker in _ = try await sessions[worker]?.preflight() }
        var receipted: [Double] = []
        for round in 0..<rounds {
            receipted.append(
                try await Self.time {
                    try await onAll(workers) { try await attempt(sessions[$0], owner, "r\(round)") }
                })
        }
        numbers["receipted"] = Self.median(receipted)
        // One worker, one at a time: the cost itself, without a queue for the machine's processors.
        var single: (plain: [Double], receipted: [Double]) = ([], [])
        for round in 0..<(3 * rounds) {
            single.plain.append(try await Self.time { try await self.plain(workers[0]) })
            single.receipted.append(
                try await Self.time { try await attempt(sessions[workers[0]], owner, "s\(round)") })
        }
        numbers["single"] = Self.median(single.plain)
        numbers["single_receipted"] = Self.median(single.receipted)
        numbers["peak_memory"] = Self.memory(peak: true)
        return numbers
    }

    private func onAll(_ workers: [String], _ body: @escaping @Sendable (String) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in workers { group.addTask { try await body(worker) } }
            try await group.waitForAll()
        }
    }

    private func plain(_ worker: String) async throws {
        let result = try await transport.run(WorkerCommand(["true"], timeout: .seconds(60)), on: worker)
        guard result.exit == .status(0) else { throw Failure(reason: "\(worker): \(result)") }
    }

    private func attempt(_ session: WorkerSession?, _ owner: Owner, _ name: String) async throws {
        let request = AttemptRequest(id: "\(owner.run)-\(name)-1", action: .shell("true"), job: nil, timeout: nil)
        guard case .finished(let result)? = try await session?.run(request), result.isSuccess else {
            throw Failure(reason: "\(name) did not end well")
        }
    }

    private static func time(_ body: () async throws -> Void) async throws -> Double {
        let begin = ContinuousClock.now
        try await body()
        let (seconds, attoseconds) = begin.duration(to: .now).components
        return Double(seconds) + Double(attoseconds) / 1e18
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    private static func cpu() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return [usage.ru_utime, usage.ru_stime].map { Double($0.tv_sec) + Double($0.tv_usec) / 1e6 }.reduce(0, +)
    }

    private static func memory(peak: Bool = false) -> Double {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix(peak ? "VmHWM:" : "VmRSS:") } ?? ""
        return (Double(line.split(whereSeparator: \.isWhitespace).dropFirst().first ?? "") ?? 0) / 1000
    }
}
