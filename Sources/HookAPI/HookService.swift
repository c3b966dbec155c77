internal import Catalog
internal import KeyValues
internal import Model
internal import Plans
internal import YAML

/// Answers what hooks ask. Knows nothing of connections.
struct HookService: Sendable {
    /// What the plan says of the workspace.
    let planned: Facts
    let leftBehind: @Sendable () -> Set<AllocationID>
    /// The bucket's id.
    let bucket: String
    let catalog: Catalog
    let vault: Vault
    let run: RunID
    let semaphores: Semaphores
    let workers: HookWorkerCommands
    /// The worker that a hook means by a name or an address.
    let named: @Sendable (String) -> WorkerName?
    let now: @Sendable () -> Timestamp
    /// What a person should hear of, such as a write that was refused: a hook may not look at its answers.
    let report: @Sendable (String) -> Void
    let seen = SeenSecrets()

    private var facts: Facts { planned.without(leftBehind()) }

    /// What a hook shows: the same from every process of its run.
    func token(of attempt: WritingAttempt, nonce: String) -> String {
        vault.token(for: "\(nonce) \(attempt.step) \(attempt.attempt)")
    }

    func answer(_ request: HookRequest, from identity: HookIdentity) async -> HookAnswer {
        do {
            if let id = request.allocationID, id != identity.allocationID {
                throw HookAnswer.Refusal(.notFound, "\(id) is not the allocation that this hook runs for")
            }
            return try await route(request, identity)
        } catch let refusal as HookAnswer.Refusal {
            return refused(refusal, identity)
        } catch let error as KeyValueError {
            return refused(HookAnswer.Refusal(.badRequest, "\(error)"), identity)
        } catch {
            tell("the request \(request.path) failed: \(error)", identity)
            return HookAnswer(status: .failed, body: "\(error)")
        }
    }

    /// A hook may have put a secret where it does not belong.
    private func tell(_ text: String, _ identity: HookIdentity) {
        let struck = Redaction.strike(seen.values(of: identity.job), from: Array(text.utf8))
        report("\(identity.name): \(String(decoding: struck, as: UTF8.self))")
    }

    private func refused(_ refusal: HookAnswer.Refusal, _ identity: HookIdentity) -> HookAnswer {
        switch refusal.status {
        case .badRequest, .conflict, .tooLarge: tell("refused: \(refusal.message)", identity)
        // What a hook asks for to see whether it is there.
        case .ok, .unauthorized, .notFound, .methodNotAllowed, .timeout, .failed, .unavailable: break
        }
        return HookAnswer(status: refusal.status, body: refusal.message)
    }

    private func route(_ request: HookRequest, _ identity: HookIdentity) async throws -> HookAnswer {
        switch (request.path, request.method) {
        case ("/kv", .get): try get(HookFields(request.body), identity)
        case ("/kv", .put): try await put(HookFields(request.body), identity, isSecret: false)
        case ("/kv", .delete): try await delete(HookFields(request.body), identity, isSecret: false)
        case ("/kv/secret", .put): try await put(HookFields(request.body), identity, isSecret: true)
        case ("/kv/secret", .delete): try await delete(HookFields(request.body), identity, isSecret: true)
        case ("/kv/keys", .get): try list(HookFields(request.body), identity)
        case ("/demands", .get): demands(identity)
        case ("/semaphore/acquire", .post): try await acquire(HookFields(request.body), identity)
        case ("/semaphore/release", .post): try await release(HookFields(request.body), identity)
        case ("/semaphore/status", .get): try await status(request, identity)
        case ("/worker/command", .post): try await runOnWorker(HookFields(request.body))
        case ("/kv", _), ("/kv/secret", _), ("/kv/keys", _), ("/demands", _), ("/semaphore/acquire", _),
            ("/semaphore/release", _), ("/semaphore/status", _), ("/worker/command", _):
            throw HookAnswer.Refusal(.methodNotAllowed, "\(request.path) does not take this method")
        case _: throw HookAnswer.Refusal(.notFound, "there is nothing at \(request.path)")
        }
    }

    // MARK: Values

    private func view(_ identity: HookIdentity) -> KeyValueView {
        KeyValueView(facts: facts, bucket: bucket, catalog: catalog, vault: vault, run: run, job: identity.job)
    }

    private func get(_ fields: HookFields, _ identity: HookIdentity) throws -> HookAnswer {
        let (namespace, key) = try place(fields)
        guard HookRules(identity: identity, facts: facts).canRead(namespace) else {
            throw HookAnswer.Refusal(
                .badRequest,
                "\(namespace) cannot be read by hooks of the job \(identity.job) on \(identity.worker); of other jobs only "
                    + "those that its commands demand can be")
        }
        let view = view(identity)
        guard let value = try view.value(namespace, key) else {
            throw HookAnswer.Refusal(.notFound, "there is no key \(key) in \(namespace)")
        }
        let text = try view.text(of: value, in: namespace)
        if namespace.isSecret || value.isKey { seen.note(text, identity.job) }
        return .json(
            object([("namespace", JSONText.quote(namespace.text)), ("key", quote(key)), ("value", quote(text))]))
    }

    private func put(_ fields: HookFields, _ identity: HookIdentity, isSecret: Bool) async throws -> HookAnswer {
        let (namespace, key) = try place(fields)
        guard var text = try fields.text("value"), !text.isEmpty else {
            throw HookAnswer.Refusal(.badRequest, "`value` is missing or empty")
        }
        try check(key, namespace, identity, isSecret: isSecret, isDeletion: false)
        if !isSecret { text = text.trimmingWhitespace }
        if key == KeyValue.rolloutOrder, !isSecret { text = order(text) }
        if let problem = KeyValue.problem(ofKey: key) { throw HookAnswer.Refusal(.badRequest, "the key \(problem)") }
        if let problem = KeyValue.problem(ofValue: text) {
            throw HookAnswer.Refusal(.badRequest, "the value of \(key) \(problem)")
        }
        let content: KeyValueWrite.Content =
            isSecret
            ? try vault.write(text, to: SecretName(job: identity.job, key: key)) : .text(text)
        do {
            try await catalog.keep(KeyValueWrite(namespace, key, content), of: identity.attempt, at: now())
        } catch {
            if isSecret { seen.note(refused: text, identity.job) }
            throw error
        }
        if isSecret { seen.note(text, identity.job) }
        return .done
    }

    /// An order of workers as it is kept: by their names. A hook knows itself by its address (`ALLOCATION_IP`).
    private func order(_ text: String) -> String {
        RolloutOrder.names(in: text).map { named($0)?.text ?? $0 }.joined(separator: ",")
    }

    private func delete(_ fields: HookFields, _ identity: HookIdentity, isSecret: Bool) async throws -> HookAnswer {
        let (namespace, key) = try place(fields)
        try check(key, namespace, identity, isSecret: isSecret, isDeletion: true)
        guard try view(identity).value(namespace, key) != nil else {
            throw HookAnswer.Refusal(.notFound, "there is no key \(key) in \(namespace)")
        }
        try await catalog.keep(KeyValueWrite(namespace, key, .deletion), of: identity.attempt, at: now())
        return .done
    }

    private func list(_ fields: HookFields, _ identity: HookIdentity) throws -> HookAnswer {
        var namespaces = HookRules(identity: identity, facts: facts).listed
        if let text = try fields.text("namespace"), !text.isEmpty {
            guard let namespace = KVNamespace(text), namespaces.contains(namespace) else {
                throw HookAnswer.Refusal(
                    .badRequest,
                    "the keys of \(text) cannot be listed; those of "
                        + namespaces.map(\.text).joined(separator: " and ") + " can")
            }
            namespaces = [namespace]
        }
        let view = view(identity)
        let lists = try namespaces.map { namespace in
            (namespace.text, "[" + (try view.values(in: namespace).map { quote($0.key) }).joined(separator: ", ") + "]")
        }
        return .json(object([("namespaces", object(lists))]))
    }

    private func place(_ fields: HookFields) throws(HookAnswer.Refusal) -> (KVNamespace, String) {
        guard let text = try fields.text("namespace"), let key = try fields.text("key"), !text.isEmpty, !key.isEmpty
        else {
            throw HookAnswer.Refusal(.badRequest, "`namespace` and `key` are required")
        }
        guard let namespace = KVNamespace(text) else {
            throw HookAnswer.Refusal(.badRequest, "\(text) is not a namespace")
        }
        return (namespace, key)
    }

    private func check(
        _ key: String, _ namespace: KVNamespace, _ identity: HookIdentity, isSecret: Bool, isDeletion: Bool
    ) throws(HookAnswer.Refusal) {
        let rules = HookRules(identity: identity, facts: facts)
        if let problem = rules.problem(writing: key, of: namespace, isSecret: isSecret, isDeletion: isDeletion) {
            throw HookAnswer.Refusal(
                .badRequest, "\(key) of \(namespace) cannot be \(isDeletion ? "deleted" : "written"): \(problem)")
        }
    }

    // MARK: Demands

    private func demands(_ identity: HookIdentity) -> HookAnswer {
        let items = facts.demands(for: identity.job, command: identity.command).map { job, demand in
            object([("job", quote(job.text)), ("command", quote(demand.command)), ("demand_config", demand.config)])
        }
        return .json("[" + items.joined(separator: ", ") + "]")
    }

    // MARK: Semaphores

    private func acquire(_ fields: HookFields, _ identity: HookIdentity) async throws -> HookAnswer {
        let name = try self.name(fields.text("name"))
        let capacity = max(try fields.integer("capacity") ?? 1, 1)
        guard Semaphores.capacities.contains(capacity) else {
            throw HookAnswer.Refusal(
                .conflict,
                "the semaphore \(name) cannot have the capacity \(capacity), \(Semaphores.capacities.upperBound) is "
                    + "the limit")
        }
        let asked = try fields.integer("timeout_seconds") ?? 0
        let seconds = asked > 0 ? min(asked, Semaphores.maximumTimeout) : Semaphores.defaultTimeout
        do {
            try await semaphores.acquire(
                slot(name, capacity, identity), within: .seconds(seconds),
                isRecorded: identity.event != HookRules.healthCheck)
        } catch Semaphores.Problem.timedOut {
            throw HookAnswer.Refusal(.timeout, "the semaphore \(name) was not free within \(seconds) s")
        } catch Semaphores.Problem.otherCapacity(let other) {
            throw HookAnswer.Refusal(.conflict, "the semaphore \(name) has the capacity \(other), and not \(capacity)")
        }
        return .json(
            object([
                ("name", quote(name)), ("allocation_id", quote(identity.allocationID)), ("capacity", String(capacity)),
                ("acquired", "true"),
            ]))
    }

    private func release(_ fields: HookFields, _ identity: HookIdentity) async throws -> HookAnswer {
        let name = try self.name(fields.text("name"))
        do {
            try await semaphores.release(slot(name, 1, identity))
        } catch Semaphores.Problem.notHeld {
            throw HookAnswer.Refusal(.conflict, "this allocation does not hold the semaphore \(name)")
        }
        return .done
    }

    private func status(_ request: HookRequest, _ identity: HookIdentity) async throws -> HookAnswer {
        let name = try self.name(request.parameter("name"))
        let status =
            await semaphores.status(slot(name, 1, identity).scope)
            ?? Semaphores.Status(capacity: 1, holders: [], waiting: 0)
        let holders = status.holders.map { quote(Facts.allocationID(AllocationID(job: identity.job, worker: $0))) }
        return .json(
            object([
                ("name", quote(name)), ("capacity", String(status.capacity)),
                ("holders", "[" + holders.joined(separator: ", ") + "]"), ("waiting", String(status.waiting)),
                ("available", String(status.capacity - status.holders.count)),
            ]))
    }

    private func name(_ text: String?) throws(HookAnswer.Refusal) -> String {
        guard let text, KeyValue.problem(ofKey: text) == nil else {
            throw HookAnswer.Refusal(.badRequest, "`name` of a semaphore is required, in at most 256 bytes")
        }
        return text
    }

    private func slot(_ name: String, _ capacity: Int, _ identity: HookIdentity) -> SemaphoreSlot {
        SemaphoreSlot(
            scope: "\(identity.job)/\(identity.event)/\(name)", capacity: capacity, holder: identity.worker,
            attempt: identity.attempt)
    }

    // MARK: JSON

    private func quote(_ text: String) -> String { JSONText.quote(text) }

    private func object(_ fields: [(String, String)]) -> String {
        "{" + fields.map { "\(quote($0.0)): \($0.1)" }.joined(separator: ", ") + "}"
    }
}
