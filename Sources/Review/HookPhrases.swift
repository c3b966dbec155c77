internal import Model
internal import Plans

// Users' code that a plan runs, as a reviewer reads it.

/// The hooks of one event.
struct HookGroup {
    let event: HookEvent
    /// When they run, and for which allocations.
    let title: Phrase
    /// In the order in which they run.
    let hooks: [Plan.Hook]
}

extension Plan.Hook {
    /// The command, and what it runs.
    var phrase: Phrase {
        "\(command) (\(script), \(own: digest.short)\(own: isRepeatable ? ", may be repeated" : ""))"
    }
}

extension Plan.Job {
    /// Over the job's hooks; nil where it has none.
    var hooksPhrase: Phrase? { hooks.map { Phrase(hooksFrom: $0.modules, timeout: timeouts.hook) } }

    /// In the order in which they run.
    var hookGroups: [HookGroup] {
        HookEvent.allCases.compactMap { event in
            let hooks = hooks(event)
            if hooks.isEmpty { return nil }
            let count = Wording.count(allocations(of: event), "allocation")
            let running = Wording.count(active.count, "active allocation")
            let all =
                running
                + (disabled.isEmpty ? "" : " and \(Wording.count(disabled.count, "disabled one"))")
            let when =
                switch event {
                case .preDeploy: "before anything of the job is touched, for \(all)"
                case .beforeBatch: "once for each batch in which anything runs, before it is touched"
                case .beforeAllocation: "before an allocation is touched, for \(count)"
                case .afterAllocationHealthy:
                    hasGate
                        ? "when its gate has found an allocation well, for \(count)"
                        : "when \(isOperated ? "its target has succeeded" : "an allocation is promoted"), for \(count)"
                case .afterAllocation: "last for an allocation, whatever became of it, for \(count)"
                case .jobControl: "in place of Makefile targets, batch by batch, for \(count)"
                case .afterAllocationStarted: "when the targets of a batch have ended, before promoting, for \(count)"
                case .afterAllocationStopped: "for \(count)"
                case .healthCheck:
                    hasGate
                        ? "at each gate after the probes, for \(running)"
                        : "at gates, of which this plan has none"
                case .postDeploy: "after all batches and gates, for \(all)"
                case .cli, .postBuild: "which is all that this plan does, for \(all)"
                }
            return HookGroup(event: event, title: "\(own: event.rawValue), \(own: when)", hooks: hooks)
        }
    }

    /// Where the order comes from, and who may put another; nil where it is that of `workers.json` in any case.
    var orderPhrase: Phrase? {
        let commands = orderingCommands
        let source =
            switch rolloutOrder {
            case .workers: "as in workers.json"
            case .keyValue: "as the job's rollout_order says"
            }
        if commands.isEmpty { return rolloutOrder == .workers ? nil : "order: \(own: source)" }
        return "order: \(own: source), unless \(commands.map { "\($0)" }.list(" or ")) sets another: then the same "
            + "actions, cut into batches again by it"
    }
}

extension Plan {
    /// The trees of `_modules` from which hooks run without any file of their job being pushed by the plan: those of stops, of
    /// a job command, and of a rollout that is only completed.
    var modulesBesideContent: [Digest] {
        stopHooks.map(\.modules) + waves.lazy.flatMap(\.jobs).filter(\.content.isEmpty).compactMap(\.hooks?.modules)
    }

    /// The scripts of all hooks.
    var scripts: [Digest] {
        stopHooks.flatMap(\.all).map(\.digest)
            + waves.lazy.flatMap(\.jobs).flatMap { job in HookEvent.allCases.flatMap(job.hooks).map(\.digest) }
    }
}

extension Plan.StopHooks {
    var titlePhrase: Phrase {
        "\(own: around.isEmpty ? "after" : "around") stops of \(job), " + Phrase(hooksFrom: modules, timeout: timeout)
    }

    /// In the order in which they run.
    ///
    /// - Parameter plan: the plan that they are of.
    func groups(in plan: Plan) -> [HookGroup] {
        let count = Wording.count(plan.reconcile.count { $0.allocation.job == job }, "allocation")
        return HookEvent.allCases.compactMap { event in
            let hooks = self[event]
            if hooks.isEmpty { return nil }
            let when = event == .beforeBatch ? "once before all stops of the job" : "for \(count)"
            return HookGroup(event: event, title: "\(own: event.rawValue), \(own: when)", hooks: hooks)
        }
    }
}

extension Phrase {
    fileprivate init(hooksFrom modules: Digest, timeout: Int) {
        self = "hooks on the controller, from _modules \(own: modules.short), \(timeout) s each at most"
    }
}

extension Plan.Job {
    /// What an entry of the job does, also where that is no action on the worker.
    func word(_ action: LifecycleAction) -> String {
        guard isJobControl, !isOperated else { return action == .run ? "run the target on" : action.rawValue }
        return action == .start ? "new" : "update"
    }
}
