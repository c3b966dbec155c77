import Model
import Planner
import Plans
import Testing

@Suite struct TemplatePlanTests {
    private func bucket(_ template: String, _ fields: String = "") throws -> TestWorkspace {
        let bucket = try TestWorkspace()
        try bucket.workers(3)
        try bucket.job("api", fields)
        try bucket.write("jobs/api/t.conf.tpl", template)
        return bucket
    }

    /// path -> bytes of what a tree holds, of what was rendered.
    private func rendered(_ result: PlanningResult) -> [String] {
        result.capture.compactMap { item in
            if case .bytes(let bytes) = item.source { String(decoding: bytes, as: UTF8.self) } else { nil }
        }
    }

    @Test func eachAllocationEndsWithATreeOfItsOwn() throws {
        let bucket = try bucket("ip={{ .WorkerIP }}\n")
        let result = try bucket.plan()
        let job = try #require(result.plan.waves.first?.jobs.first)
        #expect(job.content.map { $0.workers.map(\.text) } == [["w1"], ["w2"], ["w3"]])
        #expect(job.from.map(\.name) == ["new", "a", "b"])
        #expect(rendered(result).sorted() == ["ip=w1\n", "ip=w2\n", "ip=w3\n"])
        #expect(Set(result.trees.map(\.digest)) == Set(job.content.map(\.tree)))
        #expect(
            result.trees.allSatisfy { $0.entries.map(\.path) == ["Makefile", "app.conf", "manifest.json", "t.conf"] })
        try bucket.deploy()
        #expect(try bucket.plan().plan.isEmpty)
    }

    @Test func allocationsWithTheSameTextShareATree() throws {
        let bucket = try bucket(#"{{ get "maand/job/api" "workers" }} {{ .NewVersion }}"#)
        let job = try #require(try bucket.plan().plan.waves.first?.jobs.first)
        #expect(job.content.count == 1 && job.from.count == 1)
    }

    @Test func aValueThatChangesActsOnlyWhereTheTextDoes() throws {
        let bucket = try bucket(
            #"{{ if eq .WorkerIP "w2" }}{{ getOptional "vars/job/api" "k" }}{{ end }}"#,
            #""restart_policy": "reload", "restart_globs": ["t.conf"]"#)
        try bucket.deploy()
        bucket.catalog.jobs[try #require(JobName("api")), default: .init()].variables = ["k": "1"]
        let plan = try bucket.plan().plan
        #expect(plan.actions == ["api": ["w2": "restart"]])
        #expect(plan.matched == ["api": ["w2": ["t.conf"]]])
        #expect(plan.waves.first?.jobs.first?.changes.first?.value.map(\.path) == ["t.conf"])
        try bucket.write("jobs/api/vars.toml", "k = \"2\"\n")
        #expect(try rendered(bucket.plan()).contains("2"))
    }

    @Test func theExecutableBitIsTheTemplates() throws {
        let bucket = try bucket("a")
        try bucket.write("jobs/api/run.sh.tpl", "#!/bin/sh\n", mode: 0o755)
        let tree = try #require(try bucket.plan().trees.first)
        #expect(tree.entries.first { $0.path == "run.sh" }?.kind == .executable)
    }

    @Test(arguments: [
        ("a\n{{ .Nope }}", "WS/jobs/api/t.conf.tpl:2:4: error: there is no field `.Nope` (for worker w1)"),
        ("{{ if }}", "WS/jobs/api/t.conf.tpl:1:7: error: a value or a function is missing here"),
        (
            #"{{ get "vars/job/web" "k" }}"#,
            "t.conf.tpl:1:4: error: vars/job/web is not a namespace that the job api may read (for worker w1)"
        ),
        (
            #"{{ get "vars/job/api" "k" }}"#,
            "t.conf.tpl:1:4: error: there is no key k in vars/job/api (for worker w1)"
        ),
        (
            #"{{ getSecret "k" }}"#,
            "t.conf.tpl:1:4: error: secrets/job/api: this release puts no secrets into templates"
        ),
        (#"{{ get "secrets/job/api" "k" }}"#, "t.conf.tpl:1:4: error: secrets/job/api: this release puts no"),
    ])
    func errorsNameTheirPlace(_ template: String, _ expected: String) throws {
        let errors = try bucket(template).errors()
        #expect(errors.contains(expected), "\(errors)")
    }
}
