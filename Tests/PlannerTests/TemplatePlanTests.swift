import Foundation
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

    @Test func fieldsAndFunctionsOfTheOwnJobAndWorker() throws {
        let bucket = try bucket(
            #"""
            {{ .WorkerData.WorkerIP }} {{ eq .WorkerData.WorkerID .WorkerID }} {{ .WorkerData.Labels }} \#
            {{ eq .BucketID .WorkerData.BucketID (get "maand/bucket" "bucket_id") }} \#
            {{ getJob "workers_length" }} {{ getJob "api" "name" }} {{ getJobWorker "api_allocation_index" }} \#
            {{ getWorker "position" }} [{{ getJobOptional "k" }}{{ getWorkerOptional "k" }}{{ getJobWorkerOptional "k" }}]
            """#)
        let texts = rendered(try bucket.plan()).sorted()
        #expect(texts.first == "w1 true [worker] true 3 api 0 0 []" && texts.count == 3, "\(texts)")
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

    /// Planning knows a secret by its fingerprint, and a new value is a new content.
    @Test func secretsAreBoundByTheirFingerprints() throws {
        let bucket = try bucket(
            #"{{ .WorkerIP }} {{ getSecret "pw" }} {{ keys "secrets/job/api" }}"#,
            #""restart_policy": "reload", "restart_globs": ["t.conf"], "file_modes": {"t.conf": "0640"}"#)
        let api = try #require(JobName("api"))
        func put(_ digit: Character) throws {
            let fingerprint = try #require(SecretFingerprint(hex: String(repeating: digit, count: 64)))
            bucket.catalog.jobs[api, default: .init()].secrets = ["pw": fingerprint, "other": fingerprint]
        }
        try put("a")
        let result = try bucket.plan()
        let job = try #require(result.plan.waves.first?.jobs.first)
        #expect(job.secrets.map(\.reference.name.key) == ["pw"] && job.secrets.map(\.files) == [["t.conf"]])
        #expect(rendered(result).allSatisfy { $0.hasPrefix("maand-sealed-file 1\n") && $0.contains("[other pw]") })
        let entry = try #require(result.trees.first?.entries.first { $0.path == "t.conf" })
        #expect(entry.kind == .sealed && entry.mode == 0o640)
        #expect(try PlanFile.read(PlanFile(result.plan).bytes, file: "plan").plan == result.plan)
        try bucket.deploy()
        try put("a")
        #expect(try bucket.plan().plan.isEmpty)
        try put("b")
        let plan = try bucket.plan().plan
        #expect(plan.matched == ["api": ["w1": ["t.conf"], "w2": ["t.conf"], "w3": ["t.conf"]]])
        bucket.catalog.jobs[api]?.secrets = [:]
        bucket.catalog.jobs[api]?.unknownSecrets = ["pw"]
        #expect(bucket.errors().contains("an earlier release has stored the secret pw of secrets/job/api"))
        #expect(plan.waves.first?.jobs.first?.secrets.first?.reference.fingerprint.hex.hasPrefix("bbb") == true)
    }

    @Test func modesOfFiles() throws {
        let bucket = try bucket(
            "a", #""file_modes": {"*": "0600", "bin.sh": "750", "_modules/**": "0640", "t.conf": "644"}"#)
        try bucket.write("jobs/api/bin.sh", "#!/bin/sh\n")
        try bucket.write("jobs/api/_modules/lib.py", "x\n")
        let entries = try #require(try bucket.plan().trees.first { $0.entries.contains { $0.path == "t.conf" } })
            .entries
        let modes = Dictionary(entries.map { ($0.path, $0.mode) }) { first, _ in first }
        #expect(modes["bin.sh"] == 0o750 && modes["t.conf"] == 0o644 && modes["Makefile"] == 0o600)
        #expect(modes["_modules/lib.py"] == 0o644)
        let tree = Tree(entries)
        #expect(Tree(text: tree.text) == tree)
        #expect(String(decoding: tree.text, as: UTF8.self).contains("\nx750 "))
        // Two spellings of one list are never read as two trees.
        let spelled = String(decoding: tree.text, as: UTF8.self).replacingOccurrences(of: "\nf ", with: "\nf644 ")
        #expect(Tree(text: Array(spelled.utf8)) == nil)
    }

    @Test func theExecutableBitIsTheTemplates() throws {
        let bucket = try bucket("a")
        try bucket.write("jobs/api/run.sh.tpl", "#!/bin/sh\n", mode: 0o755)
        let tree = try #require(try bucket.plan().trees.first)
        #expect(tree.entries.first { $0.path == "run.sh" }?.kind == .executable)
    }

    @Test(arguments: [
        ("a\n{{ .Nope }}", "WS/jobs/api/t.conf.tpl:2:4: error: there is no field `.Nope` (for worker w1 and 2 others)"),
        ("{{ if }}", "WS/jobs/api/t.conf.tpl:1:7: error: the value for `if` is missing here"),
        (
            #"{{ get "vars/job/web" "k" }}"#,
            "t.conf.tpl:1:4: error: vars/job/web is not a namespace that the job api may read (for worker w1 and 2 others)"
        ),
        (
            #"{{ get "vars/job/api" "k" }}"#,
            "t.conf.tpl:1:4: error: there is no key k in vars/job/api (for worker w1 and 2 others)"
        ),
        (
            #"{{ getSecret "k" }}"#,
            "t.conf.tpl:1:4: error: there is no secret k of secrets/job/api (for worker w1 and 2 others)"
        ),
        (#"{{ get "secrets/job/api" "k" }}"#, "t.conf.tpl:1:4: error: there is no key k in secrets/job/api"),
        (
            "{{ .UpdateSeq }}",
            "t.conf.tpl:1:4: error: `.UpdateSeq` would change the file at every deploy, and there is no such number here"
        ),
        ("{{ .WorkerData.UpdateSeq }}", "t.conf.tpl:1:4: error: `.UpdateSeq` would change the file at every deploy"),
        (#"{{ getJob "web" "version" }}"#, "error: maand/job/web is not a namespace that the job api may read"),
        (#"{{ getWorker "k" }}"#, "error: there is no key k in maand/worker/w1"),
        (#"{{ getJobWorker "k" }}"#, "error: there is no key k in maand/job/api/worker/w1"),
    ])
    func errorsNameTheirPlace(_ template: String, _ expected: String) throws {
        let errors = try bucket(template).errors()
        #expect(errors.contains(expected), "\(errors)")
    }
}
