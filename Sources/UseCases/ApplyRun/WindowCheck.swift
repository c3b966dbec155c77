internal import Catalog
internal import Executor
internal import JobFiles
internal import Model
internal import Plans
internal import ThisHost
internal import Windows

/// Says when a plan may run, by its window and the bucket's freezes.
struct WindowCheck {
    let plan: Plan
    let context: ExecutionContext

    /// - Parameter approvals: says when the plan's approvals lapse; nil where it needs none.
    /// - Throws: `RolloutError` where this machine does not know the plan's zone or knows it otherwise.
    func monitor(_ approvals: ApprovalWatch?) throws -> WindowMonitor {
        // What is wrong with the freezes is found when they are asked for.
        let zone =
            plan.window?.zone ?? (try? Self.freezes(context).zone) ?? FreezeFile.Contents.none.zone
        guard let rules = context.zones.rules(zone) else {
            throw RolloutError.zone("this machine's time-zone data has no \(zone): install or update tzdata")
        }
        if let stale = plan.window?.staleInstants(rules).first {
            throw RolloutError.zone("\(stale). Update tzdata here, or plan again")
        }
        return WindowMonitor(
            plan.window, rules: rules,
            freezes: { [context] in try Self.freezes(context).freezes },
            clock: context.clock, approvals: approvals, observe: context.observe)
    }

    /// The bucket's freezes; none where there is no file of them.
    private static func freezes(_ context: ExecutionContext) throws -> FreezeFile.Contents {
        let bucketFolder = context.bucketFolder
        do {
            return try FreezeFile.read(in: "\(bucketFolder)/workspace", database: context.zones)
        } catch let error as Files.Problem {
            throw RolloutError.freezes("\(bucketFolder)/\(FreezeFile.path): \(error.message)")
        }
    }

    /// Refuses what cannot begin now, before anything is touched.
    ///
    /// - Throws: `WindowHold` outside of the window and where nothing fits into what is left of it, `RolloutError` where
    ///   it will never fit.
    func check(_ resumed: Run?, hasBegun: Bool, _ monitor: WindowMonitor) throws {
        if !hasBegun, let limit = plan.policy.startBefore, context.clock.now() >= limit {
            throw RolloutError.tooLate(limit)
        }
        let calendar = try monitor.calendar()
        if calendar.isAlwaysOpen { return }
        let graph = try resumed.map { try StepGraph(plan, context.catalog, of: $0.id) } ?? StepGraph(plan)
        let records = try resumed.map { try context.catalog.steps(of: $0.id) } ?? []
        do {
            try checkOpening(calendar, graph, records, monitor)
        } catch var hold as WindowHold {
            if hold.next == nil, !hold.isFrozen {
                throw RolloutError.windowIsOver(hold.reason, mixed: graph.mixedVersions(records))
            }
            if !hasBegun, let limit = plan.policy.startBefore, let next = hold.next, next >= limit {
                throw RolloutError.opensTooLate(hold.nextText ?? next.utcText, limit)
            }
            hold.mixed = graph.mixedVersions(records)
            throw hold
        }
    }

    private func checkOpening(
        _ calendar: WindowCalendar, _ graph: StepGraph, _ records: [StepRecord], _ monitor: WindowMonitor
    ) throws {
        let estimator = try estimator(graph)
        let isDone = graph.isDone(by: records)
        let now = context.clock.now()
        if calendar.freeze(at: now) != nil, let hold = try monitor.check(0).hold { throw hold }
        var shortest: Int64?
        for unit in graph.units.indices {
            var isNext = true
            for (stage, content) in graph.units[unit].stages.indexed {
                guard case .batch = content, !content.steps.allSatisfy(isDone) else { continue }
                let estimate = estimator.batch(unit: unit, stage: stage, isDone: isDone)
                let (fits, isOver) = WindowGuard.fits(calendar, from: now, duration: estimate.duration)
                if !fits {
                    let name = graph.batchName(unit: unit, stage: stage)
                    if isOver {
                        throw RolloutError.windowIsOver(
                            "no opening is left into which \(name) fits", mixed: graph.mixedVersions(records))
                    }
                    throw RolloutError.neverFits(
                        batch: name, seconds: estimate.seconds, isRecorded: estimate.isRecorded)
                }
                // Of each job only its next batch can be the one that begins now.
                if isNext { shortest = min(shortest ?? .max, estimate.duration) }
                isNext = false
            }
        }
        // What is in flight has to be asked about, and gates to be probed, whatever fits besides.
        let isInFlight = records.contains { $0.state == .started } || graph.isMidChain(by: records)
        if let hold = try monitor.check(isInFlight ? 0 : shortest ?? 0).hold { throw hold }
    }

    private func estimator(_ graph: StepGraph) throws -> Estimator {
        var recorded: [JobName: [String: [Int64]]] = [:]
        for job in Set(graph.steps.compactMap(\.job)) { recorded[job] = try context.catalog.durations(of: job) }
        return Estimator(graph, recorded: recorded)
    }
}
