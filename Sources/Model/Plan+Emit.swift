internal import YAML

extension Plan {
    /// The plan in canonical YAML. The order of the fields is part of the format.
    func emitted() -> [UInt8] {
        var out = Emitter()
        out.field("plan_format", .int(Plan.format))
        out.field("kind", .string(kind.rawValue))
        out.field("bucket", .string(bucket))
        out.field("transport", .string(transport.rawValue))
        out.field("worker_root", .string(workerRoot))
        out.mapping("base", .flow) { $0.field("catalog_revision", .int(base.catalogRevision)) }
        out.mapping("options", .flow) { out in
            out.sequence("jobs", .flow) { out in for job in options.jobs { out.item(.string(job.text)) } }
            out.field("force", .bool(options.force))
            out.field("sync_only", .bool(options.syncOnly))
            if !options.recover.isEmpty {
                out.sequence("recover", .flow) { out in for job in options.recover { out.item(.string(job.text)) } }
            }
            if let limit = options.maxUnreachable { out.field("max_unreachable", .string(limit.text)) }
        }
        out.mapping("policy", .flow) { out in
            out.field("on_failure", .string(policy.onFailure.rawValue))
            out.field("job_parallelism", .int(policy.jobParallelism))
            out.field("start_before", policy.startBefore.map { .string($0.utcText) } ?? .null)
        }
        if let window { window.emit(into: &out) } else { out.field("window", .null) }
        summary.emit(into: &out)
        out.sequence("workers") { out in for worker in workers { worker.emit(into: &out) } }
        if !renames.isEmpty {
            out.sequence("renames") { out in for rename in renames { rename.emit(into: &out) } }
        }
        out.sequence("reconcile") { out in for stop in reconcile { stop.emit(into: &out) } }
        if !stopHooks.isEmpty {
            out.sequence("stop_hooks") { out in for hooks in stopHooks { hooks.emit(into: &out) } }
        }
        out.sequence("waves") { out in
            for wave in waves {
                out.mappingItem { out in
                    out.field("deployment_seq", .int(wave.deploymentSequence))
                    out.sequence("jobs") { out in
                        for job in wave.jobs { out.mappingItem { job.emit(into: &$0) } }
                    }
                }
            }
        }
        facts?.emit(into: &out)
        return out.finish()
    }
}

extension Plan.Summary {
    fileprivate func emit(into out: inout Emitter) {
        out.mapping("summary", .flow) { out in
            out.field("waves", .int(waves))
            out.field("start", .int(start))
            out.field("restart", .int(restart))
            out.field("reload", .int(reload))
            out.field("sync", .int(sync))
            out.field("stop", .int(stop))
            out.field("unchanged", .int(unchanged))
        }
    }
}

extension PlanWorker {
    func emit(into out: inout Emitter) {
        out.mappingItem(.flow) { out in
            out.field("worker", .string(worker.text))
            out.field("address", .string(address))
            if let ssh {
                out.field("port", .int(ssh.port))
                out.field("user", .string(ssh.user))
                out.sequence("host_keys", .flow) { out in for key in ssh.hostKeys { out.item(.string(key)) } }
            }
            if let zone { out.field("zone", .string(zone)) }
            if !tags.isEmpty { Facts.emit("tags", tags, into: &out) }
            if isRemoved { out.field("removed", .bool(true)) }
        }
    }
}

extension Plan.Stop {
    fileprivate func emit(into out: inout Emitter) {
        out.mappingItem(.flow) { out in
            out.field("job", .string(allocation.job.text))
            out.field("worker", .string(allocation.worker.text))
            out.field("action", .string(LifecycleAction.stop.rawValue))
            out.field("reason", .string(reason.rawValue))
            from.emitFields(into: &out)
            out.field("timeout", .int(timeout))
            if isMakefileOptional { out.field("makefile", .string(PlanWord.optional)) }
        }
    }
}

extension FromState {
    fileprivate func emitFields(into out: inout Emitter) {
        out.field("version", .string(version))
        out.field("content", .string(content?.description ?? PlanWord.noContent))
        if let unfinished { out.field("unfinished", .string(unfinished.description)) }
        if stopped { out.field("stopped", .bool(true)) }
    }
}

/// Words of the format that are neither keys nor values of an enumeration.
enum PlanWord {
    /// In place of a digest, where nothing was ever promoted.
    static let noContent = "none"
    /// Of a stop that runs a Makefile where there is one.
    static let optional = "optional"
}

extension Plan.Job {
    fileprivate func emit(into out: inout Emitter) {
        out.field("job", .string(job.text))
        out.field("version", .string(version))
        out.sequence("demands", .flow) { out in for job in demands { out.item(.string(job.text)) } }
        out.sequence("active", .flow) { out in for worker in active { out.item(.string(worker.text)) } }
        out.mapping("from") { out in
            for state in from { out.mapping(state.name, .flow) { state.value.emitFields(into: &$0) } }
        }
        out.mapping("content") { out in
            for content in content {
                out.sequence(content.tree.description, .flow) { out in
                    for worker in content.workers { out.item(.string(worker.text)) }
                }
            }
        }
        out.mapping("changes") { out in
            for group in changes {
                out.sequence(group.name) { out in
                    for change in group.value { out.mappingItem(.flow) { change.emitFields(into: &$0) } }
                }
            }
        }
        hooks?.emit(into: &out)
        out.mapping("rollout_order", .flow) { out in
            out.field("source", .string(rolloutOrder.rawValue))
            if !orderingCommands.isEmpty {
                out.sequence("may_be_replaced_by", .flow) { out in
                    for command in orderingCommands { out.item(.string(command)) }
                }
            }
        }
        out.mapping("batching", .flow) { out in
            out.field("starts", .int(batching.starts))
            out.field("upgrades", .int(batching.upgrades))
            if !batching.first.isEmpty {
                out.sequence("first", .flow) { out in for size in batching.first { out.item(.int(size)) } }
            }
            if let spread = batching.spread { out.field("spread", .string(spread)) }
            if batching.bakeSeconds > 0 { out.field("bake_seconds", .int(batching.bakeSeconds)) }
            if batching.maxFailures > 0 { out.field("max_failures", .int(batching.maxFailures)) }
            if batching.maxUnreachable > 0 { out.field("max_unreachable", .int(batching.maxUnreachable)) }
        }
        out.sequence("repeatable", .flow) { out in for action in repeatable { out.item(.string(action.rawValue)) } }
        if !changedByService.isEmpty {
            out.sequence("changed_by_service", .flow) { out in
                for path in changedByService { out.item(.string(path)) }
            }
        }
        out.mapping("timeouts", .flow) { out in
            out.field("action", .int(timeouts.action))
            out.field("hook", .int(timeouts.hook))
            out.field("push", .int(timeouts.push))
        }
        out.field("gate_first", gateFirst ? .string(Reason.unfinished.rawValue) : .null)
        out.sequence("phases") { out in
            for phase in phases { out.mappingItem { phase.emit(into: &$0) } }
        }
        out.mapping("ports", .flow) { out in for port in ports { out.field(port.name, .int(port.value)) } }
        if let healthCheck {
            out.mapping("health_check") { healthCheck.emitFields(into: &$0) }
        } else {
            out.field("health_check", .null)
        }
    }
}

extension FileChange {
    fileprivate func emitFields(into out: inout Emitter) {
        out.field("path", .string(path))
        out.field("change", .string(kind.rawValue))
        if let from { out.field("from", .string(from.description)) }
        if let to { out.field("to", .string(to.description)) }
    }
}

extension Plan.Phase {
    fileprivate func emit(into out: inout Emitter) {
        out.field("phase", .string(kind.rawValue))
        out.sequence("batches") { out in
            for batch in batches {
                out.sequenceItem { out in for entry in batch { entry.emit(into: &out) } }
            }
        }
        out.field("gate", .string(gate.rawValue))
    }
}

extension Plan.Entry {
    fileprivate func emit(into out: inout Emitter) {
        out.mappingItem(.flow) { out in
            out.field("worker", .string(worker.text))
            out.field("action", .string(action.rawValue))
            out.field("reason", .string(reason.rawValue))
            out.field("from", .string(from))
            if let gate { out.field("gate", .string(gate.rawValue)) }
            if !matched.isEmpty {
                out.mapping("matched", .flow) { out in
                    for glob in matched {
                        out.sequence(glob.name, .flow) { out in for path in glob.value { out.item(.string(path)) } }
                    }
                }
            }
        }
    }
}

extension HealthCheck {
    fileprivate func emitFields(into out: inout Emitter) {
        out.field("timeout_seconds", .int(timeoutSeconds))
        out.field("attempts", .int(attempts))
        out.field("interval_seconds", .int(intervalSeconds))
        if initialDelaySeconds > 0 { out.field("initial_delay_seconds", .int(initialDelaySeconds)) }
        if successes > 1 { out.field("successes", .int(successes)) }
        out.sequence("checks") { out in
            for check in checks { out.mappingItem(.flow) { check.emitFields(into: &$0) } }
        }
    }
}

extension HealthCheck.Check {
    fileprivate func emitFields(into out: inout Emitter) {
        switch self {
        case .tcp(let port):
            out.field("type", .string(Kind.tcp.rawValue))
            out.field("port", .int(port))
        case .http(let port, let path, let expectStatus):
            out.field("type", .string(Kind.http.rawValue))
            out.field("port", .int(port))
            out.field("path", .string(path))
            out.field("expect_status", .int(expectStatus))
        case .ssh(let command):
            out.field("type", .string(Kind.ssh.rawValue))
            out.field("command", .string(command))
        }
    }
}
