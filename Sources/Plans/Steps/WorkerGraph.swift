internal import Model

/// The units of plans that act on workers as a whole.
extension GraphBuilder {
    /// What the ids of steps of workers begin with; no job has such a name.
    private static var prefix: String { "@workers" }

    /// The batches of a command, with the gates of the jobs on their workers.
    mutating func commandUnit(_ command: RunCommand) -> StepGraph.Unit {
        let ignores = command.options.ignoresFailures
        var unit = StepGraph.Unit(.workers, level: 0, maxFailures: ignores ? .max / 2 : 0)
        let works = plan.waves.flatMap(\.jobs).map { JobWork($0) }
        for (index, batch) in command.workers.batches.enumerated() {
            let chains = batch.map { worker in
                StepGraph.Chain(
                    steps: [
                        add(
                            .shell(ShellTask(command: command.command, purpose: .command)),
                            "\(Self.prefix)/\(index + 1)/\(worker)", .worker(worker))
                    ], promote: nil)
            }
            append(chains, index, of: command.workers, to: &unit)
            addGates(works, on: batch, index, to: &unit)
        }
        unit.closing = unit.stages.endIndex
        return unit
    }

    /// The batches of reboots, each worker with its stops and starts, and with the gates of the jobs on their workers.
    mutating func rebootUnit(_ reboot: Reboot) -> StepGraph.Unit {
        var unit = StepGraph.Unit(.workers, level: 0)
        let works = plan.waves.flatMap(\.jobs).map { JobWork($0) }
        var allocations: [WorkerName: [(JobWork, Plan.Entry)]] = [:]
        for work in works {
            for entry in work.job.entries { allocations[entry.worker, default: []].append((work, entry)) }
        }
        for (index, batch) in reboot.workers.batches.enumerated() {
            let chains = batch.map { chain(of: $0, reboot, allocations[$0] ?? [], index) }
            append(chains, index, of: reboot.workers, to: &unit)
            addGates(works, on: batch, index, to: &unit)
            if reboot.rules.pauseSeconds > 0, index + 1 < reboot.workers.batches.count {
                unit.stages.append(
                    .single(
                        add(
                            .pause(Pause(seconds: reboot.rules.pauseSeconds, workers: batch)),
                            "\(Self.prefix)/\(index + 1)",
                            .worker(batch[0]))))
            }
        }
        unit.closing = unit.stages.endIndex
        return unit
    }

    /// - Parameter allocations: those on the worker, in the order in which they are started.
    private mutating func chain(
        of worker: WorkerName, _ reboot: Reboot, _ allocations: [(JobWork, Plan.Entry)], _ index: Int
    ) -> StepGraph.Chain {
        let own = "\(Self.prefix)/\(index + 1)/\(worker)"
        var steps: [StepIndex] = []
        if let condition = reboot.rules.onlyIf {
            let command = WorkerCommand(text: condition, timeout: RebootTask.commandTimeout)
            steps.append(add(.shell(ShellTask(command: command, purpose: .condition)), own, .worker(worker)))
        }
        for (work, entry) in allocations.reversed() {
            steps += self.steps(
                of: OperatedAllocation(work, entry, .stop, .reboot), "\(work.job.job)/reboot/\(index + 1)/\(worker)")
        }
        steps.append(add(.boot(BootNote()), own, .worker(worker)))
        steps.append(add(.reboot(RebootTask(rules: reboot.rules)), own, .worker(worker)))
        for (work, entry) in allocations {
            steps += self.steps(
                of: OperatedAllocation(work, entry, .start, .reboot),
                "\(work.job.job)/reboot/\(index + 1)/\(worker)")
        }
        var chain = StepGraph.Chain(steps: steps, promote: nil)
        chain.isWhole = true
        return chain
    }

    private func append(
        _ chains: [StepGraph.Chain], _ index: Int, of workers: WorkerBatches, to unit: inout StepGraph.Unit
    ) {
        unit.stages.append(
            .batch(
                .init(
                    chains: Table(chains),
                    position: .init(phase: .operation, index: index, count: workers.batches.count))))
    }

    private mutating func addGates(
        _ works: [JobWork], on batch: [WorkerName], _ index: Int, to unit: inout StepGraph.Unit
    ) {
        let workers = Set(batch)
        for work in works where work.job.healthCheck != nil && work.job.active.contains(where: workers.contains) {
            unit.stages.append(
                single(
                    .gate(GateTask(work: work, scope: .running)), "\(work.job.job)/\(plan.kind.rawValue)/\(index + 1)",
                    work.job))
        }
    }
}
