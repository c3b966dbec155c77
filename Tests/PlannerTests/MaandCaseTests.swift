import Foundation
import Model
import Planner
import Testing

/// What the real Maand plans for the same workspaces, recorded in `Tests/acceptance`.
@Suite struct MaandCaseTests {
    struct Case: Decodable, Sendable, CustomTestStringConvertible {
        let name: String
        let flags: [String]
        let states: [[String: String]]
        let expected: Expected

        enum CodingKeys: String, CodingKey {
            case name = "case"
            case flags, states, expected
        }

        var testDescription: String { name }
    }

    struct Expected: Decodable, Sendable {
        var jobs: [String: [String: String]]?
        var seq: [String: Int]?
        var matched: [String: [String: [String]]]?
        var refused: Bool
        var names: [String]
        var after: [String: [String: String]]?
        var exit: Int?

        enum CodingKeys: String, CodingKey {
            case jobs, seq, matched
            case buildError = "build_error"
            case planError = "plan_error"
            case names = "error_names"
            case after = "after_jobs"
            case exit = "deploy_exit"
        }

        init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            jobs = try fields.decodeIfPresent([String: [String: String]].self, forKey: .jobs)
            seq = try fields.decodeIfPresent([String: Int].self, forKey: .seq)
            matched = try fields.decodeIfPresent([String: [String: [String]]].self, forKey: .matched)
            refused =
                try fields.decodeIfPresent(String.self, forKey: .buildError) != nil
                || fields.decodeIfPresent(String.self, forKey: .planError) != nil
            names = try fields.decodeIfPresent([String].self, forKey: .names) ?? []
            after = try fields.decodeIfPresent([String: [String: String]].self, forKey: .after)
            exit = try fields.decodeIfPresent(Int.self, forKey: .exit)
        }
    }

    /// The recorded cases, with what is meant to differ put over them.
    static func cases() throws -> [Case] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("acceptance")
        func read(_ name: String) throws -> Any {
            try JSONSerialization.jsonObject(with: Data(contentsOf: folder.appendingPathComponent(name)))
        }
        let differences = try #require(read("maand-differences.json") as? [String: [String: Any]])
        var cases = try #require(read("maand-cases.json") as? [[String: Any]])
        for index in cases.indices {
            guard let name = cases[index]["case"] as? String, let ours = differences[name],
                let expected = cases[index]["expected"] as? [String: Any]
            else { continue }
            cases[index]["expected"] = expected.merging(ours) { _, our in our }
        }
        return try JSONDecoder().decode([Case].self, from: JSONSerialization.data(withJSONObject: cases))
    }

    /// What is an action at all: Maand also lists allocations that it leaves alone.
    private func actions(_ jobs: [String: [String: String]]?) -> [String: [String: String]] {
        (jobs ?? [:]).mapValues { workers in
            workers.filter { $0.value != "skip" && $0.value != "promote" }
                .mapValues { $0 == "stop+promote" ? "stop" : $0 }
        }.filter { !$0.value.isEmpty }
    }

    @Test(arguments: try cases()) func plansLikeMaand(_ recorded: Case) throws {
        let bucket = try TestWorkspace()
        for state in recorded.states.dropLast() {
            try bucket.lay(state)
            try bucket.deploy()
        }
        try bucket.lay(try #require(recorded.states.last))
        let syncOnly = recorded.flags.contains("--sync-only")
        let jobs = recorded.flags.firstIndex(of: "--jobs").map { [recorded.flags[$0 + 1]] } ?? []
        if recorded.expected.refused {
            let errors = bucket.errors(syncOnly: syncOnly, jobs: jobs)
            #expect(!errors.isEmpty)
            for name in recorded.expected.names { #expect(errors.contains(name), "\(errors)") }
            return
        }
        let plan = try bucket.plan(jobs: jobs, force: recorded.flags.contains("--force"), syncOnly: syncOnly).plan
        #expect(plan.actions == actions(recorded.expected.jobs))
        #expect(plan.matched == recorded.expected.matched ?? [:])
        for (job, level) in plan.levels where plan.actions[job] != nil {
            #expect(level == recorded.expected.seq?[job], "\(job)")
        }
        if recorded.expected.exit == 0, recorded.flags.isEmpty, let after = recorded.expected.after {
            try bucket.deploy()
            #expect(try bucket.plan().plan.actions == actions(after))
        }
    }
}
