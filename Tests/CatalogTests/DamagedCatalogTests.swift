import Foundation
import GRDB
import Model
import Plans
import Testing

@testable import Catalog

/// Any value in any column is an error that names both, and never the end of the process.
@Suite struct DamagedCatalogTests {
    /// A database with a row in every table, of a run that has ended and of one that has not.
    private func whole() async throws -> DatabaseQueue {
        let folder = try TemporaryFolder()
        let catalog = try Catalog.open(in: folder.path, bucket: bucket)
        let (api, web) = (try allocation("api", "w1"), try allocation("web", "w1"))
        let release = Release(version: "1.0.0", content: planDigest)
        let worker = PlanWorker(
            worker: api.worker, address: "10.0.0.1", ssh: .init(port: 22, user: "agent", hostKeys: ["SHA256:a"]),
            zone: "a")
        let approval = ApprovalRecord(
            digest: planDigest, policy: [1], approvals: [.init(principal: "ann", key: "SHA256:b", writtenAt: at(0))])
        #expect(try catalog.takeOver(ids: [api.worker: "1-2"], jobs: [api.job]))
        #expect(try !catalog.takeOver(ids: [api.worker: "3-4"], jobs: [api.job]), "what is recorded stays")
        for nonce in ["n1", "n2"] {
            let run = try catalog.beginRun(
                plan: planDigest, nonce: nonce, at: at(0), by: "ann@control", workers: [worker], approval: approval)
            try catalog.beginPart(of: run.id, at: at(1), by: "ann@control")
            let hook = WritingAttempt(run: run.id, step: StepID("api/pre_deploy/w1/x"), attempt: 1)
            try await catalog.commit(run, begin(hook.step.text), begin("api/start/w1/start"))
            var checkpoint = Checkpoint(
                run: run.id, at: at(2),
                steps: [
                    .outcome(
                        step: StepID("api/start/w1/start"), attempt: 1, state: .succeeded, exitStatus: 0,
                        detail: "well",
                        output: StepOutput(stdout: [1], stderr: [2], stdoutSize: 1, stderrSize: 1))
                ],
                changes: [
                    .promoted(api, release), .gateOwed([api]), .began(web, release), .drifted(web, release),
                    .drained(web, true), .tookBack(web, content: planDigest),
                    .incomplete(api.job, true), .assignedPorts(api.job, ["http": 8080]),
                    .rolloutOrder(api.job, [api.worker]),
                    .seen(
                        api.worker,
                        Machine(address: "10.0.0.1", port: 22, hostKeys: ["SHA256:a"], generation: "g")),
                ],
                decisions: [
                    Decision(at: at(2), by: "ann", run: run.id, step: hook.step, what: .retryFailed, reason: "why")
                ])
            checkpoint.leftBehind = [LeftBehind(.allocation(web), reason: "away")]
            try await catalog.commit(checkpoint)
            try catalog.rememberKey("f")
            for text in ["a", "b"] {
                try await catalog.keep(
                    KeyValueWrite(.secrets(api.job), "s", try .secret { _ in Array(text.utf8) }), of: hook, at: at(2))
            }
            try await catalog.keep(KeyValueWrite(.variables(api.job), "v", .text(nonce)), of: hook, at: at(2))
            try await catalog.hold(SemaphoreSlot(scope: "m", capacity: 1, holder: api.worker, attempt: hook))
            try catalog.setHookPort(4000, of: run.id)
            try catalog.beginWayBack(of: run.id, by: planDigest)
            let other = Release(version: "2.0.0", content: stepDigest)
            try await catalog.commit(
                Checkpoint(run: run.id, at: at(3), changes: [.promoted(api, other), .adopted(api, state: stepDigest)]))
            try catalog.finish(run.id, state: .failed, detail: "no", drifts: [web: release], at: at(3))
            if nonce == "n1" {
                try await catalog.commit(run, outcome(hook.step.text, 1, .succeeded))
                try catalog.finish(run.id, state: .abandoned, detail: "enough", drifts: [web: release], at: at(4))
            }
        }
        _ = try catalog.fingerprintKey(orKeep: [1])
        let secret = SecretName(job: try #require(JobName("api")), key: "s")
        let fingerprint = try #require(SecretFingerprint(hex: String(repeating: "c", count: 64)))
        try catalog.keepSealedFile(planDigest, [1, 2], with: [.init(name: secret, fingerprint: fingerprint)])
        try catalog.setProvidedFingerprints([secret: fingerprint])
        try catalog.setPrepared(secret.job, "command_x", planDigest)
        try catalog.keepProvidedValue(.init(name: secret, fingerprint: fingerprint), [3])
        var change = Catalog.CertificateChange()
        let authority = CertificateAuthority(
            fingerprint: planDigest, commonName: "ca", endsAt: at(9), role: .signing)
        change.authorities = [StoredAuthority(authority, certificate: "pem", sealedKey: [4])]
        change.certificates = [
            JobCertificate(
                job: secret.job, name: "tls", worker: WorkerName("w1"), commonName: "api", names: ["w1"],
                isPKCS8: false, endsAt: at(9), fingerprint: stepDigest, authority: planDigest)
        ]
        try catalog.record(change, at: at(5), by: "ann")
        let copy = try DatabaseQueue()
        try catalog.queue.backup(to: copy)
        try catalog.close()
        return copy
    }

    /// Takes everything out of the schema that keeps a value out.
    private func loosen(_ queue: DatabaseQueue) throws {
        try queue.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA writable_schema = ON")
            let tables = try Row.fetchAll(db, sql: "SELECT name, sql FROM sqlite_schema WHERE type = 'table'")
            for table in tables {
                guard let sql = table["sql"] as String?, let name = table["name"] as String?,
                    !name.hasPrefix("sqlite_")
                else { continue }
                let loose = sql.replacingOccurrences(of: "STRICT, ", with: "")
                    .replacingOccurrences(of: ") STRICT", with: ")").replacingOccurrences(of: " NOT NULL", with: "")
                try db.execute(sql: "UPDATE sqlite_schema SET sql = ? WHERE name = ?", arguments: [loose, name])
            }
            try db.execute(sql: "DELETE FROM sqlite_schema WHERE type = 'trigger'")
            try db.execute(sql: "PRAGMA writable_schema = OFF")
        }
    }

    /// A copy in which every row of the table has this value in the column; nil where its key cannot be that.
    private func copy(_ loose: DatabaseQueue, _ table: String, _ column: String, _ value: DatabaseValue) throws
        -> Catalog?
    {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        let queue = try DatabaseQueue(configuration: configuration)
        try loose.backup(to: queue)
        let changed = try queue.writeWithoutTransaction { db -> Int in
            try db.execute(sql: "PRAGMA ignore_check_constraints = ON")
            do {
                try db.execute(sql: "UPDATE OR IGNORE \(table) SET \(column) = ?", arguments: [value])
            } catch let error as DatabaseError where error.resultCode == .SQLITE_MISMATCH {
                return 0
            }
            return db.changesCount
        }
        return changed == 0 ? nil : Catalog(path: "maand.db", queue: queue)
    }

    /// Everything that is ever asked of or written into a catalog.
    private func uses(_ catalog: Catalog) throws -> [() async throws -> Void] {
        let (api, web) = (try allocation("api", "w1"), try allocation("web", "w1"))
        let run = RunID(2)
        let hook = WritingAttempt(run: run, step: StepID("api/pre_deploy/w1/x"), attempt: 1)
        let release = Release(version: "1.0.0", content: planDigest)
        let reads: [() async throws -> Void] = [
            { _ = try catalog.snapshot() }, { _ = try catalog.revision() }, { _ = try catalog.allocations() },
            { _ = try catalog.records(of: [api, web]) }, { _ = try catalog.jobs() }, { _ = try catalog.workers() },
            { _ = try catalog.deployments(limit: 9) }, { _ = try catalog.latestDeployments() },
            { _ = try catalog.unfinishedRun() }, { _ = try catalog.latestRun(of: planDigest) },
            { _ = try catalog.run(run) }, { _ = try catalog.runs(limit: 9) }, { _ = try catalog.drifts(of: run) },
            { _ = try catalog.decisions(run) }, { _ = try catalog.steps(of: run) },
            { _ = try catalog.attempts(of: run, step: hook.step) },
            { _ = try catalog.output(of: run, step: StepID("api/start/w1/start")) },
            { _ = try catalog.leftBehind(by: run) }, { _ = try catalog.takenIn(by: run) },
            { _ = try catalog.machines() }, { _ = try catalog.adopted() },
            { _ = try catalog.adoptedStates() }, { _ = try catalog.drained(by: run) },
            { _ = try catalog.hasRenamed(since: 0, but: stepDigest) }, { _ = try catalog.approvals(of: run) },
            { _ = try catalog.hookPort(of: run) }, { _ = try catalog.rolloutOrders(of: run) },
            { _ = try catalog.keyFingerprint() }, { _ = try catalog.semaphoreSlots(of: run) },
            { _ = try catalog.keyValues(in: .variables(api.job), run: run) },
            { _ = try catalog.keyValues(in: .secrets(api.job), run: run) },
            { _ = try catalog.keyValues(in: .variables(api.job)) },
            { _ = try catalog.keyValues(in: .secrets(api.job)) },
            { _ = try catalog.keyValueNamespaces() },
            { _ = try catalog.storedSecrets(in: [.secrets(api.job)], run: run, within: .max) },
            { _ = try catalog.durations(of: api.job) }, { _ = try catalog.previousContents() },
            { _ = try catalog.secretsWithoutFingerprint() }, { _ = try catalog.fingerprintKey() },
            { _ = try catalog.sealedFile(planDigest) }, { _ = try catalog.secretNamespaces() },
            { _ = try catalog.fingerprints(of: [SecretName(job: api.job, key: "s")]) },
            { _ = try catalog.storedAuthorities() }, { _ = try catalog.parts(of: run) },
            { _ = try catalog.attempts(of: run) }, { _ = try catalog.outputs(of: run, after: 0, limit: 9) },
        ]
        let writes: [() async throws -> Void] = [
            { try await catalog.keep(KeyValueWrite(.variables(api.job), "v", .text("x")), of: hook, at: at(5)) },
            { try await catalog.keep(KeyValueWrite(.secrets(api.job), "s", .secret { _ in [] }), of: hook, at: at(5)) },
            { _ = try catalog.write(KeyValueWrite(.variables(api.job), "é", .text("x")), at: at(5), by: "ann") },
            { try catalog.replaceKey("f", by: "g") { _, bytes in bytes } },
            { try catalog.forgetSealedFiles { _ in false } }, { _ = try catalog.forgetKey("g") },
            {
                try await catalog.commit(
                    Checkpoint(
                        run: run, at: at(5),
                        changes: [
                            .gatePassed(api.job, [api.worker]), .stopped(web, removed: false), .promoted(api, release),
                            .renamed([
                                Plan.Rename(from: api.worker, to: try #require(WorkerName("w9")), generation: "g")
                            ]),
                        ]))
            },
            { try await catalog.commit(Checkpoint(run: run, at: at(5), steps: [outcome(hook.step.text, 1, .failed)])) },
            { try await catalog.commit(Checkpoint(run: run, at: at(5), steps: [begin(hook.step.text, 2)])) },
            { try catalog.finish(run, state: .abandoned, detail: nil, at: at(6)) },
            { _ = try catalog.beginRun(plan: planDigest, nonce: "n3", at: at(7), by: "ann", workers: []) },
        ]
        return reads + writes
    }

    @Test func everyValueOfEveryColumnIsAnErrorThatNamesIt() async throws {
        let loose = try await whole()
        let tables = try await loose.read { db in
            try String.fetchAll(db, sql: "SELECT name FROM sqlite_schema WHERE type = 'table'")
                .filter { !$0.hasPrefix("sqlite_") }
        }
        for table in tables {
            let count = try await loose.read { db in try Int.fetchOne(db, sql: "SELECT count(*) FROM \(table)") }
            #expect(count != 0, "\(table) has rows")
        }
        try loosen(loose)
        let untouched = Catalog(path: "maand.db", queue: loose)
        for use in try uses(untouched).prefix(43) { try await use() }
        let columns = try await loose.read { db in
            try tables.flatMap { table in try db.columns(in: table).map { (table, $0.name) } }
        }
        let values: [(String, DatabaseValue)] = [
            ("NULL", .null), ("text", "no \u{1b}[1m".databaseValue), ("blob", Data([0xff, 0, 0xfe]).databaseValue),
            ("huge", Int64.max.databaseValue), ("small", Int64.min.databaseValue), ("fraction", 1.5.databaseValue),
        ]
        var tried = 0
        var unnamed: Set<String> = []
        for (table, column) in columns {
            var isNamed = false
            var isTried = false
            for (kind, value) in values {
                guard let catalog = try copy(loose, table, column, value) else { continue }
                tried += 1
                isTried = true
                for use in try uses(catalog) {
                    do {
                        try await use()
                    } catch let error as CatalogError {
                        #expect(!"\(error)".contains("\u{1b}"), "\(table).\(column) = \(kind)")
                        if case .illegalValue(_, table, column, _, _, _) = error { isNamed = true }
                        if case .failed = error { Issue.record("\(table).\(column) = \(kind): \(error)") }
                        if case .diskFull = error { Issue.record("\(table).\(column) = \(kind): \(error)") }
                    } catch is KeyValueError {
                    }
                }
            }
            if isTried, !isNamed { unnamed.insert("\(table).\(column)") }
        }
        #expect(tried > 400)
        // Nothing reads these: a query compares them, or they are for people who look into the file; the bucket's id is
        // read when a file is opened.
        let unread: Set<String> = [
            // Earlier releases wrote these two.
            "allocation.promoted_rules", "allocation.unfinished_rules",
            "approval.recorded_at", "approval.run", "approval_policy.recorded_at", "approval_policy.run",
            "attempt.protocol", "attempt.run", "bucket.id", "bucket.only_row", "decision.number", "decision.run",
            "drift.run", "drifted.run", "hook_port.run", "kv_key.only_row", "kv_pending.attempt",
            "kv_pending.namespace",
            "kv_pending.step", "kv_replaced.attempt", "kv_replaced.namespace", "kv_replaced.run", "kv_replaced.step",
            "left_behind.decided_at", "left_behind.run", "output.run",
            "rollout_order.run", "run_part.number", "run_part.run", "sealed_file_secret.digest",
            "sealed_file_secret.fingerprint",
            "sealed_file_secret.key",
            "sealed_file_secret.namespace", "semaphore.run", "taken_back.run",
        ]
        #expect(unnamed.subtracting(unread) == [])
    }

    @Test func theErrorSaysWhichRowAndWhatToDo() throws {
        let error = CatalogError.illegalValue(
            path: "maand.db", table: "run", column: "nonce", row: "number = 3", found: "NULL", expected: "a text")
        #expect(
            "\(error)".hasPrefix(
                "the catalog maand.db is damaged: the table `run` has NULL in the column `nonce` of the row with "
                    + "number = 3, where a text belongs. Stop using it: "))
    }

    @Test(arguments: ["pipe", "folder", "device", "log"])
    func whatIsNoFileIsNotOpened(_ kind: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.file(kind == "log" ? "maand.db-wal" : "maand.db")
        if kind == "log" { try Catalog.open(in: folder.path, bucket: bucket).close() }
        switch kind {
        case "folder": try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        case "device": try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/dev/zero")
        default: try shell("mkfifo '\(path)'")
        }
        for open in [
            { _ = try Catalog.open(in: folder.path, bucket: bucket) },
            { _ = try Catalog.openReadOnly(in: folder.path, bucket: bucket) },
        ] as [() throws -> Void] {
            let error = #expect(throws: CatalogError.self) { try open() }
            guard case .cannotOpen(_, let reason) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(reason.hasSuffix("and no file"))
        }
    }
}
