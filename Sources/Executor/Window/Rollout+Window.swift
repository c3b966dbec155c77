internal import Catalog
internal import JobFiles
internal import Model

extension Rollout {
    /// - Parameter approvals: says when the plan's approvals lapse; nil where it needs none.
    /// - Throws: `RolloutError` where this machine does not know the plan's zone or knows it otherwise.
    func windowMonitor(_ plan: Plan, _ approvals: ApprovalWatch?) throws -> WindowMonitor {
        // What is wrong with the freezes is found when they are asked for.
        let zone =
            plan.window?.zone ?? (try? Self.freezes(in: bucketFolder, zones).zone) ?? FreezeFile.Contents.none.zone
        guard let rules = zones.rules(zone) else {
            throw RolloutError.zone("this machine's time-zone data has no \(zone): install or update tzdata")
        }
        if let stale = plan.window?.staleInstants(rules).first {
            throw RolloutError.zone("\(stale). Update tzdata here, or plan again")
        }
        return WindowMonitor(
            plan.window, rules: rules,
            freezes: { [bucketFolder, zones] in try Self.freezes(in: bucketFolder, zones).freezes },
            clock: clock, approvals: approvals, observe: observe)
    }

    /// The bucket's freezes; none where there is no file of them.
    private static func freezes(in bucketFolder: String, _ zones: ZoneDatabase) throws -> FreezeFile.Contents {
        do {
            return try FreezeFile.read(in: "\(bucketFolder)/workspace", database: zones)
        } catch let error as Files.Problem {
            throw RolloutError.freezes("\(bucketFolder)/\(FreezeFile.path): \(error.message)")
        }
    }

    /// Refuses what cannot begin now, before anything is touched.
    ///
    /// - Throws: `WindowHold` outside of the window and where nothing fits into what is left of it, `RolloutError` where
    ///   it will never fit.
    func checkWindow(_ file: PlanFile, _ resumed: Run?, hasBegun: Bool, _ monitor: WindowMonitor) throws {
        let plan = file.plan
        if !hasBegun, let limit = plan.policy.startBefore, clock.now() >= limit {
            throw RolloutError.tooLate(limit)
        }
        let calendar = try monitor.calendar()
        if calendar.isAlwaysOpen { return }
        let graph = try resumed.map { try self.graph(of: $0, plan) } ?? StepGraph(plan)
        let records = try resumed.map { try catalog.steps(of: $0.id) } ?? []
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
        let now = clock.now()
        if calendar.freeze(at: now) != nil, let hold = try monitor.check(0).hold { throw hold }
        var shortest: Int64?
        for unit in graph.units.indices {
            var isNext = true
            for (stage, content) in graph.units[unit].stages.indexed {
                guard case .batch(let batch) = content, !batch.chains.flatMap(\.allSteps).allSatisfy(isDone) else {
                    continue
                }
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
        let isInFlight = records.contains { $0.state == .started }
        if let hold = try monitor.check(isInFlight ? 0 : shortest ?? 0).hold { throw hold }
    }

    func estimator(_ graph: StepGraph) throws -> Estimator {
        var recorded: [JobName: [String: [Int64]]] = [:]
        for job in Set(graph.steps.map(\.job)) { recorded[job] = try catalog.durations(of: job) }
        return Estimator(graph, recorded: recorded)
    }
}

extension StepGraph.Stage {
    fileprivate var chainCount: Int {
        switch self {
        case .single: 0
        case .batch(let batch): batch.chains.count
        }
    }
}

extension StepGraph {
    /// Says of a step, by what is recorded, whether the run has nothing to do for it any more: also where it goes on without
    /// the step's allocation.
    func isDone(by records: [StepRecord]) -> (StepIndex) -> Bool {
        let done = Set(records.lazy.filter { $0.state == .succeeded || $0.state == .skipped }.map(\.step))
        return { done.contains(steps[$0].id) || isLeftBehind($0) }
    }

    /// As in the ids of its steps: `api/upgrade/2`, or `api/pre_deploy` for hooks of the job as a whole.
    func batchName(unit: UnitIndex, stage: StageIndex) -> String {
        guard case .batch(let batch) = units[unit].stages[stage], let step = batch.chains.first?.steps.first else {
            return ""
        }
        let parts = batch.position == nil ? 2 : 3
        return steps[step].id.text.split(separator: "/").prefix(parts).joined(separator: "/")
    }
}

extension StepRunner {
    /// Whether the batch of these first steps may begin now, or go on.
    ///
    /// - Parameter isResumed: parts of it may be done.
    func isAdmitted(_ steps: [StepIndex], isResumed: Bool) async throws -> Bool {
        guard let first = steps.first else { return true }
        let (unit, stage) = (graph.places[first].unit, graph.places[first].stage)
        guard await monitor.isApproved(graph.batchName(unit: unit, stage: stage)) else { return false }
        if monitor.isUnrestricted { return true }
        var recorded: [JobName: [String: [Int64]]] = [:]
        for job in Set(steps.map { graph.steps[$0].job }) {
            recorded[job] = try recorder.catalog.durations(of: job)
        }
        let isPartial = isResumed || graph.units[unit].stages[stage].chainCount > steps.count
        let records = isPartial ? try recorder.catalog.steps(of: recorder.run.id) : []
        let estimate = Estimator(graph, recorded: recorded)
            .batch(unit: unit, stage: stage, isDone: graph.isDone(by: records))
        return monitor.admit(graph.batchName(unit: unit, stage: stage), estimate)
    }
}
