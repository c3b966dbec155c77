import Catalog
import Commands
import Executor
import Foundation
import Model
import Plans
import RunViews
import StepMachinery
import UseCases
import Windows

/// Where a run stands, from what is recorded alone.
struct RunReport {
    let run: Run
    private let rows: [StatusDocument.Job]
    /// Steps that are neither pending nor succeeded, in the plan's order; of the plan's steps nil where it cannot be read.
    private let open: [(step: Step?, record: StepRecord)]
    /// Why the run's plan cannot be read; then what is recorded is all.
    private let planProblem: String?
    private let holder: LockHolder?
    /// What the run goes on without.
    let leftBehind: [LeftBehind]
    /// What the run, or another one before it, has drained and not put back, of the plan's jobs.
    let drained: [AllocationID]
    /// What became of each job; nil if the plan cannot be read.
    let recap: Recap?

    /// Nil if it cannot be read.
    private var plan: Plan?

    /// Nil if there is no such run.
    ///
    /// - Parameter isLeaving: the process that executes it asks, and leaves it now.
    init?(_ catalog: Catalog, bucket: String, _ id: RunID?, isLeaving: Bool = false) throws {
        guard let run = try id.map(catalog.run) ?? catalog.runs(limit: 1).first else { return nil }
        self.run = run
        if !isLeaving, case .held(let by) = try BucketLock.state(in: bucket), by?.plan == run.plan {
            holder = by
        } else {
            holder = nil
        }
        let steps = try catalog.steps(of: run.id)
        leftBehind = try catalog.leftBehind(by: run.id)
        func isOpen(_ record: StepRecord) -> Bool { record.state != .succeeded && record.state != .pending }
        let graphs: [StepGraph]
        do {
            // What was taken over from Maand has no steps.
            graphs = run.cause == .adoption ? [] : try StepGraph.all(of: run, catalog, ContentStore(in: bucket))
            planProblem = nil
        } catch let error as StoreError {
            planProblem = "its plan cannot be read, and only what is recorded is shown: \(error)"
            open = steps.filter(isOpen).map { (nil, $0) }
            rows = []
            recap = nil
            drained = try catalog.drained(by: run.id)
            return
        }
        plan = graphs.first?.plan
        drained = try catalog.drained(by: run.id, of: plan?.touchedJobs ?? [])
        let records = Dictionary(steps.map { ($0.step, $0) }, uniquingKeysWith: { _, b in b })
        open = graphs.flatMap(\.steps).compactMap { step in
            records[step.id].flatMap { isOpen($0) ? (step, $0) : nil }
        }
        rows = graphs.flatMap { Self.rows(of: $0, records) }
        recap = Recap(run, graphs, records: steps, leftBehind: leftBehind, isExecuted: holder != nil)
    }

    private static func rows(of graph: StepGraph, _ records: [StepID: StepRecord]) -> [StatusDocument.Job] {
        let states = StepMachine.states(
            graph, recorded: records.mapValues(\.recorded))
        let undone = Set(zip(graph.units, states).compactMap { $1 == .succeeded ? nil : $0.job })
        let isWayBack = graph.plan.origin?.isPartOfRun == true
        return zip(graph.units, states).map { unit, state in
            let steps = unit.steps.filter { !graph.isLeftBehind($0) }
            let done = steps.count { records[graph.steps[$0].id]?.state == .succeeded }
            return StatusDocument.Job(
                job: unit.name, state: state.word,
                blocked_by: state == .blocked ? unit.demands.filter(undone.contains).map(\.text) : nil, done: done,
                steps: steps.count, rollout_order: order(of: unit, graph, records), way_back: isWayBack ? true : nil)
        }
    }

    private static func order(
        of unit: StepGraph.Unit, _ graph: StepGraph, _ records: [StepID: StepRecord]
    ) -> StatusDocument.Order? {
        guard let job = unit.work?.job, !job.phases.isEmpty else { return nil }
        let decision = unit.steps.first { if case .order = graph.steps[$0].task { true } else { false } }
        let planned: StatusDocument.Order.Source =
            switch job.rolloutOrder {
            case .workers: .workers
            case .keyValue: .keyValue
            }
        return StatusDocument.Order(
            source: graph.orders[job.job] != nil ? .hook : planned,
            workers: graph.activeWorkers(of: job).map(\.text),
            detail: decision.flatMap { records[graph.steps[$0].id]?.detail })
    }

    /// Whether a process is at work on the run.
    var isExecuted: Bool { holder != nil }

    /// `running` is only true while a process holds the lock.
    private var isInterrupted: Bool { run.state == .running && holder == nil }

    private var state: String { isInterrupted ? "interrupted" : run.state.rawValue }

    static func headline(_ run: Run, _ terminal: Terminal) -> String {
        terminal.escape(
            "run \(run.id)  \(run.state.rawValue)  plan \(run.plan.hex.prefix(12))  started \(run.startedAt.utcText) by "
                + run.startedBy + (run.endedAt.map { ", ended \($0.utcText)" } ?? ""))
    }

    /// What holds for the run as a whole.
    func head(_ terminal: Terminal) -> [String] {
        var lines = [Self.headline(run, terminal)]
        if isInterrupted { lines.append("interrupted: no process executes it; the same command continues it") }
        if let detail = run.detail { lines.append(terminal.escape(detail)) }
        if let holder { lines.append(terminal.escape("executed by \(holder)")) }
        if let planProblem { lines.append(terminal.escape(planProblem)) }
        return lines
    }

    /// Orders that somebody has chosen, each with its job.
    var orderLines: [String] { rows.compactMap { row in row.rollout_order.flatMap { Self.text($0, of: row.job) } } }

    /// Steps that are neither pending nor succeeded: what went wrong first, then what is under way.
    var openLines: [String] {
        let lines = open.map { _, record in
            let detail = record.detail.map { ": \($0)" } ?? ""
            return (
                record.state == .started,
                "  \(record.step) (attempt \(record.attempt)) \(record.state.phrase)\(detail)"
            )
        }
        return lines.filter { !$0.0 }.map(\.1) + lines.filter(\.0).map(\.1)
    }

    /// What to do now; nil where nothing is to be done, or a process is at it.
    var advice: String? {
        guard holder == nil, !isInterrupted else { return nil }
        return Advice.text(run, plan, open: open)
    }

    /// Workers of an order that a line names.
    private static let named = 20

    /// Nil if nobody has chosen an order.
    private static func text(_ order: StatusDocument.Order, of job: String) -> String? {
        let origin: String
        switch order.source {
        case .workers:
            return order.detail.map { "  \(job): rollout order: that of workers.json, \($0)" }
        case .keyValue: origin = "set by `rollout_order`" + (order.detail.map { ", \($0)" } ?? "")
        case .hook: origin = "put by a hook"
        }
        return "  \(job): rollout order, \(origin): \(order.workers.listed(first: named))"
    }

    /// For programs.
    var document: StatusDocument {
        StatusDocument(
            run: run.id.number, state: state, plan: run.plan.description, started_at: run.startedAt.utcText,
            started_by: run.startedBy, ended_at: run.endedAt?.utcText, code: run.cause?.rawValue, detail: run.detail,
            pid: holder?.pid, plan_problem: planProblem, jobs: rows,
            steps: open.map {
                .init(
                    step: $0.record.step.text, attempt: $0.record.attempt, state: $0.record.state.rawValue,
                    code: $0.record.code, detail: $0.record.detail)
            }, left_behind: leftBehind.map { LeftBehindRow($0.subject, $0.reason) },
            drained: drained.map { .init(job: $0.job.text, worker: $0.worker.text) })
    }
}
