internal import Model
internal import Plans
internal import YAML

// What is said of a job's templates beside what they become.

extension JobRenderer {
    /// Collects what keeps the templates from being rendered for the allocations that are rendered.
    func addProblems(
        to failures: inout TemplateFailures, _ workspace: Workspace, _ catalog: CatalogSnapshot, _ options: Plan.Options
    ) {
        for allocation in job.allocations where !allocation.isDisabled {
            let worker = workspace.workers[allocation.worker]
            let record = catalog.allocations[AllocationID(job: job.name, worker: worker.name)] ?? .none
            if record.state == .stoppedByHand, !options.includeStopped { continue }
            failures.add(problems(for: worker, currentVersion: record.fromState.version), worker.name)
        }
    }
}

extension JobPlanner {
    /// Says which templates become yet another file when the plan has been applied, since the version that runs is in them.
    func versionWarnings(_ actors: JobRollout.Actors, _ workers: [Workspace.Worker]) -> [Diagnostic] {
        guard let renderer, job.templates.contains(where: { $0.currentVersionMark != nil }) else { return [] }
        let known = Dictionary(workers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        return job.templates.compactMap { template in
            guard let mark = template.currentVersionMark else { return nil }
            let actor = actors.all.first { actor in
                let old = states[actor.state].from.version
                return old != version
                    && known[actor.worker].map { renderer.differs(template, for: $0, when: old, and: version) } == true
            }
            guard let actor else { return nil }
            let old = states[actor.state].from.version
            return Diagnostic(
                .warning, file: template.file, mark: mark,
                message:
                    "job \(job.name): `.CurrentVersion` is \(old) in this plan and \(version) in the next one, which changes the "
                    + "file and acts on the job once more",
                note: "write `.NewVersion` for the version that is deployed; targets and hooks get CURRENT_VERSION")
        }
    }
}
