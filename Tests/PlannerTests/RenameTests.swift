import Model
import Planner
import Plans
import Testing

@Suite struct RenameTests {
    /// The job `api` runs on workers that a rollout has seen: name -> number of the machine, at the address `10.0.0.NUMBER`.
    private func deployed(_ names: KeyValuePairs<String, Int>, template: String? = nil) throws -> TestWorkspace {
        let bucket = try TestWorkspace()
        bucket.configuration.transport = .ssh
        try name(names, in: bucket)
        try bucket.job("api")
        if let template { try bucket.write("jobs/api/t.conf.tpl", template) }
        try bucket.deploy()
        for (name, number) in names {
            bucket.catalog.machines[try #require(WorkerName(name))] = Machine(
                address: "10.0.0.\(number)", port: 22, hostKeys: ["SHA256:k\(number)", "SHA256:r\(number)"],
                generation: "g\(number).7")
        }
        return bucket
    }

    private func name(_ names: KeyValuePairs<String, Int>, in bucket: TestWorkspace) throws {
        let rows = names.map { #"{"host": "\#($0)", "address": "10.0.0.\#($1)"}"# }
        try bucket.write("workers.json", "[\(rows.joined(separator: ", "))]\n")
        for (_, number) in names { bucket.hostKeys["10.0.0.\(number)"] = ["SHA256:k\(number)"] }
    }

    private func renames(_ plan: Plan) -> [String] { plan.renames.map { "\($0) \($0.generation)" } }

    @Test func aNewNameOfAMachineIsNoReasonToAct() throws {
        let bucket = try deployed(["a": 1, "b": 2])
        try name(["db1": 1, "b": 2], in: bucket)
        let plan = try bucket.plan().plan
        #expect(renames(plan) == ["a -> db1 g1.7"])
        #expect(plan.actions.isEmpty && plan.work.body.summary.unchanged == 2)
        #expect(!plan.isEmpty)
        #expect(plan.fleet.workers.map(\.worker.text) == ["db1"])
        // Also where other jobs are planned: the catalog has every job of a worker under one name.
        try bucket.job("web")
        #expect(try renames(bucket.plan(jobs: ["web"]).plan) == ["a -> db1 g1.7"])
    }

    @Test func namesMayBeSwapped() throws {
        let bucket = try deployed(["a": 1, "b": 2])
        try name(["a": 2, "b": 1], in: bucket)
        let plan = try bucket.plan().plan
        #expect(renames(plan) == ["a -> b g1.7", "b -> a g2.7"])
        #expect(plan.actions.isEmpty)
    }

    @Test func whatChangesWithTheNameIsAnUpgrade() throws {
        let bucket = try deployed(["a": 1, "b": 2], template: "ip={{ .WorkerIP }}\n")
        try name(["db1": 1, "b": 2], in: bucket)
        let plan = try bucket.plan().plan
        #expect(renames(plan) == ["a -> db1 g1.7"])
        #expect(plan.actions == ["api": ["db1": "restart"]])
        #expect(plan.decision("api", "db1") == "restart/content_changed")
    }

    @Test func anOldNameMayBeginAnew() throws {
        let bucket = try deployed(["a": 1])
        try name(["old": 1, "a": 3], in: bucket)
        let plan = try bucket.plan().plan
        #expect(renames(plan) == ["a -> old g1.7"])
        #expect(plan.decision("api", "a") == "start/first_deploy")
    }

    @Test func unfinishedComesAlong() throws {
        let bucket = try deployed(["a": 1])
        try bucket.leaveUnfinished("api", "a")
        try name(["db1": 1], in: bucket)
        #expect(try bucket.plan().plan.decision("api", "db1") == "restart/unfinished")
    }

    enum Missing: CaseIterable { case machine, key, port, address, keys }

    @Test(arguments: Missing.allCases)
    func whatIsNotKnownIsNoRename(_ missing: Missing) throws {
        let bucket = try deployed(["a": 1])
        try name(["db1": 1], in: bucket)
        let old = try #require(WorkerName("a"))
        switch missing {
        case .machine: bucket.catalog.machines = [:]
        case .key: bucket.hostKeys["10.0.0.1"] = ["SHA256:other"]
        case .port: bucket.catalog.machines[old]?.port = 23
        case .address: bucket.catalog.machines[old]?.address = "10.0.0.9"
        case .keys: bucket.catalog.machines[old]?.hostKeys = []
        }
        let plan = try bucket.plan().plan
        #expect(plan.renames.isEmpty)
        #expect(plan.decision("api", "a") == "stop/removed")
        #expect(plan.decision("api", "db1") == "start/first_deploy")
    }

    @Test func aNameThatIsStillAnothersIsRefused() throws {
        func refusal(_ before: KeyValuePairs<String, Int>, _ after: KeyValuePairs<String, Int>) throws -> String? {
            let bucket = try deployed(before)
            try name(after, in: bucket)
            return #expect(throws: PlanningError.self) { try bucket.plan() }?.description
        }
        // Nobody says what became of the machine that was b; nor, in a chain, of that which was c.
        #expect(try refusal(["a": 1, "b": 2], ["b": 1])?.contains("take b out of workers.json") == true)
        let chain = try refusal(["a": 1, "b": 2, "c": 3], ["b": 1, "c": 2])
        #expect(chain?.contains("take c out of workers.json") == true)
        // As it says: what was that machine first.
        let bucket = try deployed(["a": 1, "b": 2])
        try name(["a": 1], in: bucket)
        #expect(try bucket.plan().plan.decision("api", "b") == "stop/removed")
        // Nor which of two names of one machine has what runs there.
        let twins = try deployed(["a": 1, "b": 2])
        twins.catalog.machines[try #require(WorkerName("b"))] = twins.catalog.machines[try #require(WorkerName("a"))]
        try name(["c": 1], in: twins)
        #expect(try twins.plan().plan.renames.isEmpty)
    }

    @Test func whatLeavesIsReachedWhereItWasSeen() throws {
        let bucket = try deployed(["a": 1, "b": 2])
        let old = try #require(WorkerName("a"))
        // As a plan has it that found nobody there.
        bucket.catalog.workers[old] = PlanWorker(
            worker: old, address: "10.0.0.9", ssh: .init(port: 23, user: "me", hostKeys: ["SHA256:k9"]))
        try name(["b": 2], in: bucket)
        let gone = try bucket.plan().plan.fleet.workers.first { $0.worker == old }
        #expect(gone?.address == "10.0.0.1")
        #expect(gone?.ssh == .init(port: 22, user: "me", hostKeys: ["SHA256:k1"]))
        #expect(gone?.isRemoved == true)
    }

    @Test func aFolderHasNoOtherName() throws {
        let bucket = try deployed(["a": 1])
        try name(["db1": 1], in: bucket)
        bucket.configuration.transport = .local
        #expect(try bucket.plan().plan.renames.isEmpty)
    }

    @Test func whatIsStaleIsSeenUnderTheNewNames() throws {
        let bucket = try deployed(["a": 1, "b": 2])
        try name(["a": 2, "b": 1], in: bucket)
        let renames = try bucket.plan().plan.renames
        #expect(bucket.catalog.contradicted(renames).isEmpty)
        let renamed = bucket.catalog.renamed(renames)
        #expect(renamed.contradicted(renames) == renames)
        #expect(
            renamed.renamed([renames[0], renames[1]].map { .init(from: $0.to, to: $0.from, generation: "") })
                == bucket.catalog)
    }
}
