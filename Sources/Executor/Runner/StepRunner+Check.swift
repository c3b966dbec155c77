internal import Catalog
internal import KeyValues
internal import Model
internal import Plans
internal import Synchronization
internal import Workers

extension StepRunner {
    /// Workers that are compared at the same time.
    static let checkWidth = 32
    /// Paths of one worker that are named; the rest is counted.
    static let namedPaths = 5

    /// The facts that a batch depends on and that do not hold, found without touching anything.
    ///
    /// The catalog has to hold the planned `from` of each allocation, and each path on its worker the planned `from` or
    /// `to`. A worker that cannot be asked counts as fresh here: its own push asks again, and says what is wrong.
    ///
    /// - Parameter steps: the first step of each allocation of a batch of which nothing has begun.
    func staleFacts(of steps: [StepIndex]) async throws -> [StaleFact] {
        let steps = steps.flatMap(graph.checked(before:))
        let records = try recorder.catalog.records(of: steps.compactMap { graph.steps[$0].allocation })
        let inCatalog = steps.compactMap { step in
            graph.steps[step].allocation.flatMap { allocation in
                graph.rules(step).from.flatMap {
                    StaleFact(allocation, planned: $0, recorded: records[allocation] ?? .none)
                }
            }
        }
        guard inCatalog.isEmpty else { return inCatalog }
        let changed = try await changedSecrets(of: steps)
        guard changed.isEmpty else { return changed }
        return await drifts(of: steps, isStaging: true)
    }

    /// Secrets that have other values than those which the files of these steps are to have.
    ///
    /// A value that nobody gives is found out by the push.
    private func changedSecrets(of steps: [StepIndex]) async throws -> [StaleFact] {
        var first: [JobName: Push] = [:]
        for step in steps {
            guard case .files(let push) = graph.rules(step).precondition, !push.deployment.work.job.secrets.isEmpty
            else {
                continue
            }
            if first[push.deployment.work.job.job] == nil { first[push.deployment.work.job.job] = push }
        }
        var facts: [StaleFact] = []
        for (_, push) in first.sorted(by: { $0.key < $1.key }) {
            let secrets = push.deployment.work.job.secrets
            do { try await sealed.ask(for: secrets) } catch { continue }
            facts += StaleFact.changes(
                of: secrets.map(\.reference), try sealed.fingerprints(of: secrets), push.deployment.allocation)
        }
        return facts
    }

    /// What somebody has changed on the workers of these steps, which are each the first one of an allocation, in their
    /// order. A worker that cannot be asked has no drift here; see above.
    ///
    /// - Parameter isStaging: their batch is the next, so that its files are sent ahead.
    func drifts(of steps: [StepIndex], isStaging: Bool) async -> [StaleFact] {
        recorder.observe(.asking(.files, steps.compactMap { graph.steps[$0].worker }))
        return await steps.sideBySide(width: Self.checkWidth) { step in
            let facts = await drift(step, isStaging: isStaging)
            if let worker = graph.steps[step].worker { recorder.observe(.answered(.files, worker)) }
            return facts
        }.flatMap { $0 }
    }

    /// What somebody has changed on the worker of an allocation's first step.
    private func drift(_ step: StepIndex, isStaging: Bool) async -> [StaleFact] {
        let session: WorkerSession
        do {
            session = try await pool.session(graph.steps[step].worker)
        } catch {
            if isStaging, error.kind != .refused { silences.note(step, error.reason) }
            return []
        }
        guard let allocation = graph.steps[step].allocation else {
            if isStaging { await ask(step, session) }
            return []
        }
        switch graph.rules(step).precondition {
        case .files(let push): return await driftOfFiles(push, step, allocation, session, isStaging: isStaging)
        case .makefile(let stop): return await driftOfMakefile(stop, step, session, isStaging: isStaging)
        case .promoted(let allocation): return await drift(from: allocation, step, session, isStaging: isStaging)
        case nil: return []
        }
    }

    /// A stop runs what is there, which has to be what was promoted. Other files do not matter to it, and one that is gone
    /// runs nothing.
    private func driftOfMakefile(
        _ stop: Plan.Stop, _ step: StepIndex, _ session: WorkerSession, isStaging: Bool
    ) async -> [StaleFact] {
        let content = stop.from.unfinished == nil ? stop.from.content : nil
        let comparison = await compareWithPromoted(
            stop.allocation, content, timeout: stop.timeout, step, session, isStaging: isStaging)
        guard let (request, report) = comparison, case .drift(let paths, _) = report,
            let path = paths.first(where: { $0.path == "Makefile" && $0.actual != .nothing })
        else { return [] }
        return await facts([path], of: stop.allocation, request, session)
    }

    /// A target by itself runs with the files that are there, which have to be those that were promoted.
    private func drift(
        from allocation: OperatedAllocation, _ step: StepIndex, _ session: WorkerSession, isStaging: Bool
    ) async -> [StaleFact] {
        let job = allocation.work.job
        let comparison = await compareWithPromoted(
            allocation.allocation, allocation.allowsDrift ? nil : allocation.from?.content,
            changedByService: job.changedByService, timeout: job.timeouts.push, step, session, isStaging: isStaging)
        guard let (request, report) = comparison else { return [] }
        return await facts(of: report, allocation.allocation, request, session)
    }

    /// Compares the files of an allocation with those that were promoted there; nil if they are not known, or if the worker
    /// cannot be asked.
    private func compareWithPromoted(
        _ allocation: AllocationID, _ content: Digest?, changedByService: [String] = [], timeout: Int,
        _ step: StepIndex,
        _ session: WorkerSession, isStaging: Bool
    ) async -> (PushRequest, PushReport)? {
        guard let content, let files = try? entriesThere(store.tree(content)) else {
            if isStaging { await ask(step, session) }
            return nil
        }
        var request = PushRequest(
            job: allocation.job.text, target: files.entries, base: files.entries,
            changedByService: changedByService + files.unknown,
            timeout: .seconds(timeout)
        ) { _ in .empty }
        do {
            let report = try await session.compare(&request)
            return (request, report)
        } catch {
            if isStaging { noteSilence(of: step, error) }
            return nil
        }
    }

    /// What somebody has changed on the worker of a push. Where that is nothing and its batch is the next, the files already
    /// wait beside the job: one look at the worker serves both.
    private func driftOfFiles(
        _ task: Push, _ step: StepIndex, _ allocation: AllocationID, _ session: WorkerSession, isStaging: Bool
    ) async -> [StaleFact] {
        guard var request = try? pushRequest(task, step) else { return [] }
        // What an unfinished push left is unknown: nothing there is drift.
        guard request.base != nil else {
            if isStaging { await ask(step, session) }
            return []
        }
        let report: PushReport
        do {
            report = try await isStaging ? session.stage(&request) : session.compare(&request)
        } catch {
            if isStaging { noteSilence(of: step, error) }
            return []
        }
        compared.note(step, restored: request.restored, isStaged: isStaging && report == .asPlanned)
        return await facts(of: report, allocation, request, session)
    }

    /// What a comparison of files has found.
    private func facts(
        of report: PushReport, _ allocation: AllocationID, _ request: PushRequest, _ session: WorkerSession
    ) async -> [StaleFact] {
        if case .altered(let reason) = report {
            return [
                StaleFact(
                    allocation, fact: "the files on the worker", expected: "as they were promoted", found: reason,
                    isDrift: true)
            ]
        }
        guard case .drift(let paths, let total) = report else { return [] }
        var facts = await facts(Array(paths.prefix(Self.namedPaths)), of: allocation, request, session)
        if total > facts.count {
            facts.append(
                StaleFact(
                    allocation, fact: "\(total - facts.count) more paths on the worker", expected: "as in the plan",
                    found: "changed", isDrift: true))
        }
        return facts
    }

    private func facts(
        _ paths: [DriftedPath], of allocation: AllocationID, _ request: PushRequest, _ session: WorkerSession
    ) async -> [StaleFact] {
        let before = Dictionary((request.base ?? []).map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        let after = Dictionary(request.target.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        let there = await contents(of: paths, allocation, session)
        let secrets =
            there.isEmpty ? .init() : sealed.all(in: recorder.run.id, on: allocation.worker)
        return paths.map { path in
            // Of what has secrets in it, neither bytes nor a digest are told.
            let hasSecrets = there[path.path].map { Redaction.strike(secrets, from: $0) != $0 } ?? false
            let expected = [before[path.path], after[path.path]]
            let isFolder = (request.base ?? []).contains { $0.path.hasPrefix(path.path + "/") }
            let texts = expected.map { $0 == nil && isFolder ? "a folder" : Self.text($0) }
            let contents =
                hasSecrets
                ? nil
                : there[path.path].flatMap { found in
                    expected.compactMap { $0 }.first.flatMap(shown).map {
                        StaleFact.Contents(expected: $0, found: found)
                    }
                }
            return StaleFact(
                allocation, fact: "\(path.path) on the worker",
                expected: texts[0] == texts[1] ? texts[0] : texts.joined(separator: " or "),
                found: (hasSecrets ? Self.text(.otherSecrets) : Self.text(path.actual)) + Self.remedy(path.actual),
                isDrift: true, contents: contents)
        }
    }

    /// Most bytes of a file that is shown.
    static let shownBytes = 16 << 10

    /// What the files hold now, as far as the worker can say it and it is what was compared.
    private func contents(
        of paths: [DriftedPath], _ allocation: AllocationID, _ session: WorkerSession
    ) async -> [String: [UInt8]] {
        var digests: [String: String] = [:]
        for path in paths {
            if case .file(let digest, _) = path.actual { digests[path.path] = digest }
        }
        let asked = digests.keys.filter { !$0.utf8.contains(UInt8(ascii: "\n")) }.sorted()
        guard !asked.isEmpty,
            let files = try? await session.show(asked, of: allocation.job.text, limit: Self.shownBytes)
        else { return [:] }
        return files.filter { path, bytes in digests[path] == Digest.of(bytes).hex }
    }

    private func shown(_ entry: PushEntry) -> [UInt8]? {
        guard case .file(let hex, let size, _) = entry.kind, size <= Self.shownBytes, entry.sealed == nil,
            let digest = Digest(hex: hex.utf8)
        else { return nil }
        return try? store.read(digest, limit: Self.shownBytes)
    }

    private static func text(_ entry: PushEntry?) -> String {
        switch entry?.kind {
        case _ where entry?.sealed != nil: "the file with its secrets"
        case nil: "nothing"
        case .file(let digest, _, _)?: "content \(PushEntry.bare(digest).prefix(12))"
        case .symbolicLink?: "a symbolic link"
        case .directory?: "a folder"
        }
    }

    /// What no plan replaces by itself.
    private static func remedy(_ actual: DriftedPath.Actual) -> String {
        switch actual {
        case .symbolicLink, .directory, .special: " (remove it there, if no plan replaces it)"
        case .nothing, .file, .otherSecrets, .unplanned: ""
        }
    }

    static func text(_ actual: DriftedPath.Actual) -> String {
        switch actual {
        case .nothing: "nothing"
        case .file(let digest, _): "content \(digest.prefix(12))"
        case .otherSecrets: "another content"
        case .symbolicLink: "a symbolic link"
        case .directory: "a folder"
        case .special: "a device, socket or pipe"
        case .unplanned: "what an earlier push left"
        }
    }
}

/// What comparing files has told about pushes, for the pushes themselves. Of this process alone, so that a later one
/// compares again.
final class ComparedPushes: Sendable {
    private struct State {
        var staged = Set<StepIndex>()
        var restored: [StepIndex: Set<PathBytes>] = [:]
        var pushed = Set<StepIndex>()
    }

    private let state = Mutex(State())

    /// - Parameters:
    ///   - restored: unchanged paths that the push has to send.
    ///   - isStaged: its files lie beside the job on its worker.
    func note(_ step: StepIndex, restored: Set<PathBytes>, isStaged: Bool) {
        state.withLock { state in
            state.restored[step] = restored.isEmpty ? nil : restored
            if isStaged { state.staged.insert(step) }
        }
    }

    func notePushed(_ step: StepIndex) { state.withLock { _ = $0.pushed.insert(step) } }

    /// Whether this process has brought its files.
    func isPushed(_ step: StepIndex) -> Bool { state.withLock { $0.pushed.contains(step) } }

    func restored(by step: StepIndex) -> Set<PathBytes> { state.withLock { $0.restored[step] ?? [] } }

    /// Whether they were staged; a second try has to send them again.
    func takeStaged(_ step: StepIndex) -> Bool { state.withLock { $0.staged.remove(step) != nil } }
}
