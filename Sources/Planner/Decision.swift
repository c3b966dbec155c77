internal import JobFiles
internal import Model
internal import Plans

/// What happens to one active allocation, and why.
///
/// What was never promoted there, or was stopped, is started, whatever the policy and the flags say. What differs from the
/// last promote, what was begun and neither promoted nor stopped, and everything with `--force` is updated: by the job's
/// `restart_policy`, or pushed alone with `--sync-only`.
struct Decision {
    var action: LifecycleAction
    var reason: Reason
    /// Globs with the changed paths that they match; only where they made a reload a restart.
    var matched: [Plan.Named<[String]>] = []

    /// - Parameters:
    ///   - record: what the catalog knows of the allocation.
    ///   - isSame: its promoted files are what they should be; see `Tree.counts(as:)`.
    ///   - changes: what has to change in its files.
    /// - Returns: nil where the allocation is what it should be.
    init?(
        _ record: FromState, _ manifest: Manifest, version: String, isSame: Bool, changes: [FileChange],
        options: Plan.Options
    ) {
        guard record.content != nil else {
            self.init(action: .start, reason: .firstDeploy)
            return
        }
        if record.stopped {
            self.init(action: .start, reason: .reEnabled)
            return
        }
        if record.stoppedByHand {
            self.init(action: .start, reason: .stoppedByHand)
            return
        }
        // It may be stopped: a reload or a push alone would be too little.
        if record.isInterrupted, !options.syncOnly {
            self.init(action: .start, reason: .unfinished)
            return
        }
        let differs = !isSame || record.version != version
        guard differs || record.unfinished != nil || options.force else { return nil }
        let update = Self.update(manifest, changes: changes, syncOnly: options.syncOnly)
        let reason: Reason
        if record.unfinished != nil {
            reason = .unfinished
        } else if options.force {
            reason = .forced
        } else if !update.matched.isEmpty {
            reason = .globMatched
        } else if record.version != version, changes.allSatisfy({ $0.path == "manifest.json" }) {
            reason = .versionChanged
        } else {
            reason = .contentChanged
        }
        self.init(action: update.action, reason: reason, matched: update.matched)
    }

    init(action: LifecycleAction, reason: Reason, matched: [Plan.Named<[String]>] = []) {
        self.action = action
        self.reason = reason
        self.matched = matched
    }

    private static func update(
        _ manifest: Manifest, changes: [FileChange], syncOnly: Bool
    ) -> (action: LifecycleAction, matched: [Plan.Named<[String]>]) {
        if syncOnly { return (.sync, []) }
        switch manifest.restartPolicy {
        case .always: return (.restart, [])
        case .never: return (.sync, [])
        case .reload:
            var matched: [String: [String]] = [:]
            for glob in manifest.restartGlobs {
                let paths = changes.map(\.path).filter(glob.matches)
                if !paths.isEmpty { matched[glob.text] = paths }
            }
            let sorted = matched.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            return (matched.isEmpty ? .reload : .restart, sorted.map { Plan.Named($0.key, $0.value) })
        }
    }
}
