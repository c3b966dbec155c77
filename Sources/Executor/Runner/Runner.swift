internal import Catalog
internal import Model
internal import Plans
package import StepMachinery

/// Carries out what the step machine commands, records it, and feeds back what came of it.
///
/// The machine is only touched by the one task that runs `run()`; steps are performed by child tasks. A step's intent
/// is durable before its worker is contacted, its outcome before the machine hears of it: so a process that
/// is killed anywhere leaves no step of which nothing is recorded.
package struct Runner: Sendable {
    /// Steps in flight at once, whatever a batch's size: each may hold a connection's channel and two output tails.
    static let maximumInFlight = 256

    private let stepRunner: StepRunner
    private let recorder: Recorder
    private let observe: @Sendable (RunEvent) -> Void

    package init(stepRunner: StepRunner, recorder: Recorder, observe: @escaping @Sendable (RunEvent) -> Void) {
        self.stepRunner = stepRunner
        self.recorder = recorder
        self.observe = observe
    }

    private enum Event: Sendable {
        case checked([StepIndex], [StaleFact])
        case held([StepIndex])
        case ended(StepIndex, StepMachine.Outcome)
        case promoted([StepIndex], refused: [StepIndex: StepMachine.Outcome])
        case parkRequested(ParkRequest)
        case patienceEnded
        case listenerEnded

        /// A step that it is about.
        var step: StepIndex? {
            switch self {
            case .checked(let steps, _), .held(let steps), .promoted(let steps, _): steps.first
            case .ended(let step, _): step
            case .parkRequested, .patienceEnded, .listenerEnded: nil
            }
        }

        /// Whether a command was carried out.
        var endsCommand: Bool {
            switch self {
            case .checked, .held, .ended, .promoted: true
            case .parkRequested, .patienceEnded, .listenerEnded: false
            }
        }
    }

    /// How far a process came.
    package struct End: Sendable {
        package var machine: StepMachine
        package var staleFacts: [StaleFact] = []
        /// Nil if nobody asked to park.
        package var parkRequest: ParkRequest?
        /// Nobody waits any longer but for chains that go on to their end.
        fileprivate var isImpatient = false
    }

    /// Runs until nothing can be done any more.
    ///
    /// - Parameter parkRequests: each element asks to bring what is in flight to its end and to begin nothing new.
    /// - Throws: `CatalogError` where a checkpoint cannot be written. What is in flight is left to the workers, and the
    ///   next process asks them.
    package func run(_ machine: consuming StepMachine, parkRequests: AsyncStream<ParkRequest>) async throws -> End {
        var end = End(machine: machine)
        try await withThrowingTaskGroup(of: Event.self) { group in
            group.addTask {
                for await request in parkRequests { return .parkRequested(request) }
                return .listenerEnded
            }
            var waiting = end.machine.advance()[...]
            var inFlight = 0
            while true {
                while inFlight < Self.maximumInFlight, let command = waiting.popFirst() {
                    inFlight += 1
                    group.addTask { try await carryOut(command) }
                }
                if inFlight == 0 { break }
                guard let event = try await group.next() else { break }
                if event.endsCommand { inFlight -= 1 }
                if case .parkRequested(let request) = event, request.isUrgent {
                    group.addTask {
                        try? await Task.sleep(for: ParkRequest.patience)
                        return .patienceEnded
                    }
                }
                waiting += try feed(event, to: &end)
                tellEnd(after: event, end.machine)
                if end.isImpatient, !end.machine.isMidChain { stepRunner.leaving.raise() }
            }
            group.cancelAll()
        }
        return end
    }

    /// Tells the machine what happened. Returns what it commands then.
    private func feed(_ event: Event, to end: inout End) throws -> [StepMachine.Command] {
        switch event {
        case .checked(let steps, let stale):
            end.staleFacts += stale
            end.machine.leave(stepRunner.graph.leftBehind)
            return end.machine.checked(steps, isStale: !stale.isEmpty)
        case .held(let steps): return end.machine.checked(steps, isStale: false, isHeld: true)
        case .ended(let step, let outcome): return try feed(outcome, of: step, to: &end)
        case .promoted(let steps, let refused): return end.machine.promoted(steps, refused: refused)
        case .parkRequested(let request):
            observe(.parking(request))
            end.parkRequest = request
            end.machine.park()
            stepRunner.parking.raise()
        case .patienceEnded: end.isImpatient = true
        case .listenerEnded: break
        }
        return []
    }

    /// Tells that a job has ended, if it has with this event.
    private func tellEnd(after event: Event, _ machine: StepMachine) {
        guard let step = event.step else { return }
        let unit = machine.graph.places[step].unit
        if let result = machine.result(of: unit) { observe(.jobEnded(machine.graph.units[unit].name, unit, result)) }
    }

    private func feed(
        _ outcome: StepMachine.Outcome, of step: StepIndex, to end: inout End
    ) throws -> [StepMachine.Command] {
        stepRunner.monitor.noteEnd(of: stepRunner.graph.steps[step])
        if outcome == .succeeded, let order = try recorder.order(decidedBy: step) {
            end.machine.reorder(end.machine.graph.places[step].unit, order)
            recorder.follow(end.machine.graph)
        }
        if stepRunner.graph.rules(step).isProbe { end.machine.leave(stepRunner.graph.leftBehind) }
        if case .shell = stepRunner.graph.steps[step].task {
            stepRunner.graph.notNeeded.forEach { end.machine.spare($0) }
        }
        let unit = end.machine.graph.places[step].unit
        let before = end.machine.toleratedFailures(of: unit)
        let commands = end.machine.finished(step, outcome, failing: stepRunner.verdicts.take(step))
        noteTolerated(unit, before, end.machine)
        return commands
    }

    /// Tells where a job goes on although allocations of it failed.
    private func noteTolerated(_ unit: UnitIndex, _ before: Int, _ machine: StepMachine) {
        let failures = machine.toleratedFailures(of: unit)
        guard failures > before, let job = machine.graph.units[unit].job else { return }
        let limit = machine.maxFailures(of: unit)
        observe(.warning(.failuresTolerated(job, count: failures, limit: limit)))
    }

    private func carryOut(_ command: StepMachine.Command) async throws -> Event {
        switch command {
        case .check(let steps):
            guard try await stepRunner.isAdmitted(steps, isResumed: false) else { return .held(steps) }
            let stale = try await stepRunner.staleFacts(of: steps)
            guard stale.isEmpty else { return .checked(steps, stale) }
            try await stepRunner.leaveUnusable(steps)
            return .checked(steps, try await stepRunner.exceededBudgets(of: steps))
        case .admit(let steps):
            return try await stepRunner.isAdmitted(steps, isResumed: true) ? .checked(steps, []) : .held(steps)
        case .perform(let step, let attempt):
            return .ended(step, try await stepRunner.perform(step, attempt: attempt))
        case .settle(let step, let attempt):
            return .ended(step, try await stepRunner.settle(step, attempt: attempt))
        case .promote(let attempts):
            return .promoted(attempts.map(\.step), refused: try await stepRunner.promote(attempts))
        }
    }
}
