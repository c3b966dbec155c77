internal import Model
internal import Plans

extension PlanRequest {
    /// The flags of the command that asked.
    var flags: [Phrase] {
        switch self {
        case .deploy(let options):
            var flags: [Phrase] = []
            if !options.jobs.isEmpty { flags.append("--jobs " + options.jobs.map { "\($0)" }.list(",")) }
            if options.force { flags.append("--force") }
            if options.syncOnly { flags.append("--sync-only") }
            if !options.recover.isEmpty { flags.append("--recover " + options.recover.map { "\($0)" }.list(",")) }
            if let limit = options.maxUnreachable { flags.append("--max-unreachable \(own: limit.text)") }
            if options.includeStopped { flags.append("--include-stopped") }
            if let policy = options.onFailure { flags.append("--on-failure \(own: policy.rawValue)") }
            if options.stopsLast { flags.append("--stops last") }
            return flags + options.selection.flags
        case .rollback(let run, let jobs):
            return ["rollback \(run.number)"] + (jobs.isEmpty ? [] : ["--jobs " + jobs.map { "\($0)" }.list(",")])
        case .jobCommand: return []
        case .operation(let verb, let options):
            var flags: [Phrase] = ["\(options.jobs.map { "\($0)" }.list(","))"]
            if let target = verb.namedTarget { flags.append("--target \(target)") }
            if let batch = options.batch { flags.append("--batch \(own: batch.text)") }
            if !options.hasGate, verb != .stop { flags.append("--no-gate") }
            if options.allowsDrift { flags.append("--allow-drift") }
            if let limit = options.maxUnreachable { flags.append("--max-unreachable \(own: limit.text)") }
            return flags + options.selection.flags
        case .runCommand(_, let options):
            var flags: [Phrase] = []
            if let count = options.concurrency { flags.append("--concurrency \(own: count.text)") }
            if options.hasGates { flags.append("--health-check") }
            if options.ignoresFailures { flags.append("--ignore-failure") }
            if let limit = options.maxUnreachable { flags.append("--max-unreachable \(own: limit.text)") }
            return flags + options.selection.flags
        case .reboot(_, let options):
            var flags: [Phrase] = []
            if let count = options.concurrency { flags.append("--concurrency \(own: count.text)") }
            if let tag = options.spread { flags.append("--spread \(tag)") }
            if let limit = options.maxUnreachable { flags.append("--max-unreachable \(own: limit.text)") }
            return flags + options.selection.flags
        }
    }
}
