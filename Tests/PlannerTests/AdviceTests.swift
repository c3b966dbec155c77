import Foundation
import Model
import Planner
import Plans
import Testing
import YAML

/// What planning says of a workspace that a user has to complete, or does not mean so.
@Suite struct AdviceTests {
    private func bucket() throws -> TestWorkspace {
        let bucket = try TestWorkspace()
        try bucket.workers(2)
        try bucket.job("api", #""resources": {"ports": {"api_port": {}}}"#)
        return bucket
    }

    private func warnings(_ bucket: TestWorkspace) throws -> [String] {
        try bucket.plan().warnings.map(\.description).map { $0.replacing(bucket.folder, with: "WS") }
    }

    // MARK: What is missing for templates

    @Test func everythingThatIsMissingIsListedAtOnce() throws {
        let bucket = try bucket()
        try bucket.job("web")
        try bucket.write(
            "jobs/api/a.tpl",
            #"""
            {{ $n := int (get "vars/job/api" "n") }}{{ add $n 1 }}
            {{ index (split (get "vars/bucket" "list") ",") 3 }} {{ getSecret "pw" }}
            {{ range split (get "vars/job/api" "n") "," }}{{ get "maand/bucket" "api_prt" }}{{ end }}
            {{ get "vars/job/wbe" "k" }}{{ .UpdateSeq }}
            """#)
        try bucket.write("jobs/api/b.tpl", #"{{ if eq .WorkerIP "w2" }}{{ getWorker "k" }}{{ end }}"#)
        try bucket.write("jobs/web/c.tpl", #"{{ get "vars/job/web" "k" }}"#)
        let errors = bucket.errors().split(separator: "\n").filter { $0.contains("error: ") }.map(String.init)
        #expect(
            errors == [
                "WS/jobs/api/a.tpl:1:15: error: there is no key n in vars/job/api (for worker w1 and 1 other)",
                "WS/jobs/api/a.tpl:2:18: error: there is no key list in vars/bucket (for worker w1 and 1 other)",
                "WS/jobs/api/a.tpl:2:57: error: there is no secret pw of secrets/job/api (for worker w1 and 1 other)",
                "WS/jobs/api/a.tpl:3:17: error: there is no key n in vars/job/api (for worker w1 and 1 other)",
                "WS/jobs/api/a.tpl:3:50: error: there is no key api_prt in maand/bucket (for worker w1 and 1 other)",
                "WS/jobs/api/a.tpl:4:4: error: vars/job/wbe is not a namespace that the job api may read "
                    + "(for worker w1 and 1 other)",
                "WS/jobs/api/a.tpl:4:32: error: `.UpdateSeq` would change the file at every deploy, and there is no such "
                    + "number here (for worker w1 and 1 other)",
                "WS/jobs/api/b.tpl:1:30: error: there is no key k in maand/worker/w2 (for worker w2)",
                "WS/jobs/web/c.tpl:1:4: error: there is no key k in vars/job/web (for worker w1 and 1 other)",
            ])
        let text = bucket.errors()
        #expect(text.contains("did you mean `api_port`? Or: a port with this name in `resources.ports`"))
        #expect(text.contains("there is no job wbe; did you mean `web`?"))
    }

    @Test func whatFollowsFromAMissingKeyIsNoError() throws {
        let bucket = try bucket()
        try bucket.write(
            "jobs/api/a.tpl",
            #"{{ len (slice (get "vars/bucket" "k") 2 5) }}{{ template "n" }}{{ define "n" }}x{{ end }}"#)
        let errors = bucket.errors()
        #expect(errors.contains("there is no key k in vars/bucket"))
        #expect(!errors.contains("slice"))
    }

    @Test func certificatesThatAreMissingAreSaidWithIt() throws {
        let bucket = try bucket()
        try bucket.job("api", #""certs": {"tls": {"subject": {"common_name": "api"}}}"#)
        try bucket.write(
            "jobs/api/a.tpl", #"{{ get (printf "maand/job/api/worker/%s" .WorkerIP) "certs/tls.crt" }}"#)
        let alone = bucket.errors()
        #expect(alone.hasPrefix("job api: the certificate tls for w1 is missing"), "\(alone)")
        try bucket.write("jobs/api/b.tpl", #"{{ get "vars/job/api" "k" }}"#)
        let errors = bucket.errors().split(separator: "\n").filter { $0.contains("error: ") }.map(String.init)
        #expect(
            errors == [
                "WS/jobs/api/b.tpl:1:4: error: there is no key k in vars/job/api (for worker w1 and 1 other)",
                "WS/jobs/api/manifest.json: error: job api: the certificate tls for w1 is missing, the certificate tls for w2 "
                    + "is missing",
            ])
    }

    @Test func aJobThatIsNotDemandedIsNamed() throws {
        let bucket = try bucket()
        try bucket.job("web")
        try bucket.write("jobs/api/a.tpl", #"{{ get "vars/job/web" "k" }}"#)
        #expect(bucket.errors().contains("`demands` of a command can name the job web"))
    }

    // MARK: The version that runs

    @Test func aFileThatChangesAgainIsAWarning() throws {
        let bucket = try bucket()
        try bucket.write("jobs/api/t.conf.tpl", "a\nv={{ .CurrentVersion }}\n")
        try bucket.deploy()
        // The first deploy has written 0.0.0.
        #expect(try bucket.plan().plan.decision("api", "w1") == "restart/content_changed")
        #expect(try warnings(bucket) == [])
        try bucket.deploy()
        #expect(try bucket.plan().plan.isEmpty)
        try bucket.job("api", version: "2.0.0")
        let found = try warnings(bucket)
        #expect(found.count == 1)
        #expect(
            found[0].hasPrefix(
                "WS/jobs/api/t.conf.tpl:2:6: warning: job api: `.CurrentVersion` is 1.0.0 in this plan and 2.0.0 in the next one"
            ))
        #expect(found[0].contains("write `.NewVersion`"))
    }

    @Test func aVersionThatDoesNotChangeTheFileIsNoWarning() throws {
        let bucket = try bucket()
        try bucket.write("jobs/api/t.conf.tpl", #"{{ if eq .CurrentVersion "9" }}x{{ end }}{{ .NewVersion }}"#)
        #expect(try warnings(bucket) == [])
    }

    // MARK: Selectors

    @Test func selectorsWithoutAWorkerAreAWarningWithTheNearestLabel() throws {
        let bucket = try bucket()
        try bucket.workers(2, #", "labels": ["edge", "db"]"#)
        try bucket.write("jobs/api/manifest.json", #"{"selectors": ["egde"]}"#)
        try bucket.write("jobs/x/manifest.json", #"{}"#)
        try bucket.write("jobs/x/Makefile", "start:\n")
        let found = try warnings(bucket)
        #expect(
            found.first?.contains(
                "WS/jobs/api/manifest.json:1:15: warning: job api: its selectors match no worker: no worker has the label egde"
            )
                == true, "\(found)")
        #expect(found.first?.contains("note: did you mean `edge`?") == true)
        #expect(
            found.last?.contains("no worker has the label x (its name, as the manifest has no `selectors`)") == true)
        guard case .deploy(let deploy) = try bucket.plan().plan.work else { return }
        #expect(deploy.unmatched.map(\.job.text) == ["api", "x"])
        #expect(deploy.unmatched.first?.nearest.map(\.value) == ["edge"])
    }

    @Test func whatRanBeforeIsStoppedForThat() throws {
        let bucket = try bucket()
        try bucket.job("web")
        try bucket.deploy()
        try bucket.write("jobs/api/manifest.json", #"{"version": "1.0.0", "selectors": ["egde", "worker"]}"#)
        let plan = try bucket.plan().plan
        #expect(plan.reconcile.map(\.reason) == [.noWorkerMatches, .noWorkerMatches])
        #expect(plan.reconcile.allSatisfy { $0.end == .removed })
        // Of one that is gone itself nothing is said.
        try bucket.remove("jobs/api")
        let gone = try bucket.plan().plan
        #expect(gone.reconcile.map(\.reason) == [.removed, .removed])
        guard case .deploy(let deploy) = gone.work else { return }
        #expect(deploy.unmatched.isEmpty)
    }
}
