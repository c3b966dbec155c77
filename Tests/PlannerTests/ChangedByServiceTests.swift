import Foundation
import Model
import Planner
import Plans
import Testing
import YAML

/// `changed_by_service` of a manifest, as a plan has it.
@Suite struct ChangedByServiceTests {
    private static func paths(_ plan: Plan) throws -> [String] {
        try #require(plan.waves.first?.jobs.first).changedByService
    }

    @Test func globsBecomeTheSortedPathsThatTheyMatch() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(2)
        try bucket.job("api", #""changed_by_service": ["conf/", "*.state", "app.c?nf", "conf/b"]"#)
        for path in ["conf/b", "conf/A/x y.yml", "deep/a.state", "other"] { try bucket.write("jobs/api/\(path)", "1") }
        let result = try bucket.plan()
        #expect(try Self.paths(result.plan) == ["app.conf", "conf/A/x y.yml", "conf/b", "deep/a.state"])
        // Read back, with the same bytes.
        let file = PlanFile(result.plan)
        #expect(
            String(decoding: file.bytes, as: UTF8.self).contains(
                #"changed_by_service: [app.conf, "conf/A/x y.yml", conf/b, deep/a.state]"#))
        #expect(try PlanFile.read(file.bytes, file: "plan").plan == result.plan)
    }

    @Test func aFileThatLeavesTheJobIsStillTheServices() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        let fields = #""changed_by_service": ["users.json"]"#
        try bucket.job("api", fields)
        try bucket.write("jobs/api/users.json", "{}")
        try bucket.deploy()
        try bucket.remove("jobs/api/users.json")
        #expect(try Self.paths(bucket.plan().plan) == ["users.json"])
    }

    @Test(arguments: ["", #""changed_by_service": []"#, #""changed_by_service": ["nothing"]"#])
    func aPlanWithoutSuchPathsDoesNotNameThem(_ fields: String) throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api", fields)
        let plan = try bucket.plan().plan
        #expect(try Self.paths(plan) == [])
        #expect(!String(decoding: PlanFile(plan).bytes, as: UTF8.self).contains("changed_by_service"))
    }

    @Test(arguments: ["[b, a]", "[a, a]", "[]", "[../a]", "[/a]"])
    func pathsThatNoPlannerWritesAreRefused(_ list: String) throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api", #""changed_by_service": ["app.conf"]"#)
        let text = String(decoding: PlanFile(try bucket.plan().plan).bytes, as: UTF8.self)
        let edited = text.replacingOccurrences(of: "[app.conf]", with: list)
        #expect(edited != text)
        #expect(throws: InputFailure.self) { try PlanFile.read(Array(edited.utf8), file: "plan") }
    }

    @Test func aGlobThatIsNoneIsAnError() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api", #""changed_by_service": ["/etc/x"]"#)
        let error = #expect(throws: InputFailure.self) { try bucket.plan() }
        #expect(error.map { "\($0)" }?.contains("changed_by_service: a glob is relative to the job's folder") == true)
    }
}
