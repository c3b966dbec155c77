import Catalog
import Commands
import Executor
import Foundation
import Model
import Plans
import StepMachinery
import ThisHost

/// Prints what steps of a run print as they end, also while another process executes the run: it looks into the database
/// twice a second.
struct OutputFollower {
    private let options: ApplyOptions
    private let run: Run
    private let filter: OutputFilter
    private static let pause = Duration.milliseconds(500)
    /// Outputs that are read at a time.
    private static let page = 100

    init(_ options: ApplyOptions, _ run: Run, _ filter: OutputFilter) {
        self.options = options
        self.run = run
        self.filter = filter
    }

    /// Returns when no process executes the run any more, and all that it has recorded is shown.
    func follow() async throws {
        var place = 0
        var steps: [StepID: (step: Step, fleet: Fleet)] = [:]
        while true {
            // Looked at first, so that what was recorded until then is shown.
            let isOver = try !isExecuted()
            if let catalog = try options.catalog() {
                while true {
                    let found = try catalog.outputs(of: run.id, after: place, limit: Self.page)
                    // The graph changes when hooks set an order, or when the run goes back.
                    if found.contains(where: { steps[$0.step] == nil }) { steps = try allSteps(catalog) }
                    for item in found { try show(item, steps[item.step], catalog) }
                    place = found.last?.place ?? place
                    if found.count < Self.page { break }
                }
            }
            if isOver { break }
            try await Clock.system.sleep(Self.pause)
        }
        guard let ended = try options.catalog()?.run(run.id) else { return }
        let state = ended.state == .running ? "is interrupted: no process executes it" : ended.state.phrase
        options.terminal.print("Run \(run.id) \(state).")
    }

    private func isExecuted() throws -> Bool {
        if case .held(let by) = try BucketLock.state(in: options.folder), by?.plan == run.plan { true } else { false }
    }

    private func allSteps(_ catalog: Catalog) throws -> [StepID: (step: Step, fleet: Fleet)] {
        let now = try catalog.run(run.id) ?? run
        var steps: [StepID: (Step, Fleet)] = [:]
        for graph in try StepGraph.all(of: now, catalog, ContentStore(in: options.folder)) {
            for step in graph.steps { steps[step.id] = (step, graph.plan.fleet) }
        }
        return steps
    }

    private func show(_ item: KeptOutput, _ known: (step: Step, fleet: Fleet)?, _ catalog: Catalog) throws {
        guard let known, let worker = known.step.worker, filter.includes(known.step),
            let record = try catalog.attempts(of: run.id, step: item.step).first(where: { $0.attempt == item.attempt })
        else { return }
        OutputBlock(known.step, worker, record, item.output, known.fleet).lines(options.terminal, in: options.folder)
            .forEach(options.terminal.print)
    }
}
