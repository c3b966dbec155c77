import Catalog
import Executor
import Foundation
import Model
import Plans
import Review
import RunViews
import StepMachinery

extension RunStory {
    /// Bytes of the outputs that a report holds, and of one of them.
    private static let outputLimit = 4 << 20
    private static let shownOutput = 16 << 10

    /// Reads what is recorded of a run.
    ///
    /// - Parameters:
    ///   - state: as `status` shows it; nil for that of the run.
    ///   - now: for what has not ended.
    /// - Throws: `CatalogError`.
    init(_ run: Run, _ catalog: Catalog, _ store: ContentStore, state: String?, now: Timestamp) throws {
        self.init(
            head: Head(
                run: run.id, state: state ?? run.state.rawValue, code: run.cause?.rawValue, detail: run.detail,
                plan: run.plan, startedAt: run.startedAt, startedBy: run.startedBy, endedAt: run.endedAt, readAt: now))
        parts = try catalog.parts(of: run.id).map {
            Part(
                beganAt: $0.beganAt, beganBy: $0.beganBy, endedAt: $0.endedAt, state: $0.state?.rawValue,
                detail: $0.detail)
        }
        if let record = try catalog.approvals(of: run.id) {
            policy = record.digest
            approvals = record.approvals.map { Approval(principal: $0.principal, key: $0.key, writtenAt: $0.writtenAt) }
        }
        decisions = try catalog.decisions(run.id).map {
            Decision(at: $0.at, by: $0.by, what: $0.what.rawValue, step: $0.step, reason: $0.reason)
        }
        leftBehind = try catalog.leftBehind(by: run.id).map { LeftBehind(subject: $0.subject, reason: $0.reason) }
        try readAttempts(of: run, catalog)
        do {
            try readSections(of: run, catalog, store)
        } catch let error as StoreError {
            planProblem = "\(error)"
        }
        drained = try catalog.drained(by: run.id, of: sections.first?.graph.plan.touchedJobs ?? [])
    }

    private mutating func readAttempts(of run: Run, _ catalog: Catalog) throws {
        var room = Self.outputLimit
        for record in try catalog.attempts(of: run.id) where !record.step.isPreflight {
            var attempt = Attempt(
                number: record.attempt, state: record.state, startedAt: record.startedAt, endedAt: record.finishedAt,
                exitStatus: record.exitStatus, code: record.code, detail: record.detail,
                isReopened: record.isReopened)
            if attempt.isFailure, room > 0,
                let output = try catalog.output(of: run.id, step: record.step, attempt: record.attempt)
            {
                let (stdout, stderr) = (output.stdout.suffix(Self.shownOutput), output.stderr.suffix(Self.shownOutput))
                room -= stdout.count + stderr.count
                attempt.output = Output(
                    stdout: String(decoding: stdout, as: UTF8.self), stderr: String(decoding: stderr, as: UTF8.self))
            }
            attempts[record.step, default: []].append(attempt)
        }
    }

    private mutating func readSections(of run: Run, _ catalog: Catalog, _ store: ContentStore) throws {
        // What was taken over from Maand has no steps.
        if run.cause == .adoption { return }
        let records = Dictionary(try catalog.steps(of: run.id).map { ($0.step, $0.recorded) }) { _, last in last }
        for graph in try StepGraph.all(of: run, catalog, store) {
            sections.append(
                Section(
                    graph: graph, isWayBack: graph.plan.origin?.isPartOfRun == true,
                    states: StepMachine.states(graph, recorded: records).map(\.word)))
            for job in Set(graph.steps.compactMap(\.job)) where earlier[job] == nil {
                earlier[job] = try catalog.durations(of: job, before: run.id)
            }
        }
    }
}
