import Model
import Plans
import Testing
import YAML

@Suite struct RenameFileTests {
    private func plan(_ renames: [(String, String, String)]) throws -> Plan {
        var plan = try Samples.plan()
        plan.fleet.transport = .ssh
        for index in plan.fleet.workers.indices {
            plan.fleet.workers[index].ssh = .init(port: 22, user: "agent", hostKeys: ["SHA256:k"])
        }
        plan.work.body.renames = try renames.map {
            Plan.Rename(from: try #require(WorkerName($0)), to: try #require(WorkerName($1)), generation: $2)
        }
        return plan
    }

    private func refusal(_ plan: Plan) throws -> String {
        let failure = #expect(throws: InputFailure.self) { try PlanFile.read(PlanFile(plan).bytes, file: "plan.yaml") }
        return failure?.description ?? ""
    }

    @Test func readsBackWhatItWrites() throws {
        let file = PlanFile(try plan([("a", "10.0.0.1", "x.1"), ("10.0.0.1", "10.0.0.2", "y.2")]))
        #expect(try PlanFile.read(file.bytes, file: "plan.yaml").plan == file.plan)
        #expect(
            String(decoding: file.bytes, as: UTF8.self).contains(
                "renames:\n  - {from: a, to: \"10.0.0.1\", generation: x.1}\n"))
    }

    @Test func aPlanWithoutRenamesHasNoWordOfThem() throws {
        #expect(!String(decoding: PlanFile(try plan([])).bytes, as: UTF8.self).contains("renames"))
    }

    @Test(arguments: [
        ([("a", "a", "x.1")], "renamed to itself"),
        ([("a", "10.0.0.1", "x.1"), ("a", "10.0.0.2", "y.1")], "a is renamed twice"),
        ([("a", "10.0.0.1", "x.1"), ("b", "10.0.0.1", "y.1")], "two workers are renamed to 10.0.0.1"),
        ([("a", "10.0.0.1", "x.1"), ("b", "10.0.0.2", "x.1")], "the same receipts"),
        ([("a", "c", "x.1")], "c is missing under `workers`"),
        ([("a", "10.0.0.1", "x")], "a generation of receipts is"),
        ([("a", "10.0.0.1", "x.1\u{1b}")], "a generation of receipts is"),
    ])
    func refusesWhatSaysNoOneThing(_ renames: [(String, String, String)], _ message: String) throws {
        let refusal = try refusal(plan(renames))
        #expect(refusal.contains(message), "\(refusal)")
    }

    @Test func onlyRolloutsOverSSHRename() throws {
        var local = try plan([("a", "10.0.0.1", "x.1")])
        local.fleet.transport = .local
        for index in local.fleet.workers.indices { local.fleet.workers[index].ssh = nil }
        #expect(try refusal(local).contains("only workers over ssh are renamed"))
        var removed = try plan([("a", "10.0.0.1", "x.1")])
        removed.fleet.workers[0].isRemoved = true
        #expect(try refusal(removed).contains("or is removed there"))
    }
}
