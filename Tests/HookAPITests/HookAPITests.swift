import Catalog
import Foundation
import HookAPI
import KeyValues
import Model
import Plans
import Testing

@Suite(.timeLimit(.minutes(15))) struct HookAPITests {
    @Test func aHookReadsAndWrites() async throws {
        let hooks = try await Hooks()
        let output = try await hooks.python(
            """
            print(maand.get_kv_value("maand/bucket", "bucket_id"), maand.get_kv_value("vars/bucket", "environment"))
            print(maand.get_kv_value("maand/job/api", "workers"), maand.get_kv_value("vars/job/api", "from_file"))
            for answer in (maand.put_job_variable("k", " v "), maand.put_job_variable("both", "hook"),
                           maand.put_job_secret("password", "s3cret "), maand.put_job_variable("gone", "1"),
                           maand.delete_job_variable("gone"), maand.kv_put("old", "name")):
                answer.raise_for_status()
                print(answer.status_code, repr(answer.text), end=" ")
            print()
            print(maand.get_store_value("vars/job/api", "k").json())
            print(maand.get_kv_value("vars/job/api", "both"), repr(maand.get_kv_value("secrets/job/api", "password")))
            print(maand.list_job_keys().json())
            print(maand.list_job_keys("secrets/job/api").json())
            """, try hooks.identity())
        #expect(
            output == """
                b-1 test
                w1,w2 1
                200 '' 200 '' 200 '' 200 '' 200 '' 200 '' 
                {'namespace': 'vars/job/api', 'key': 'k', 'value': 'v'}
                hook 's3cret '
                {'namespaces': {'vars/job/api': ['both', 'from_file', 'k', 'old'], 'secrets/job/api': ['password']}}
                {'namespaces': {'secrets/job/api': ['password']}}
                """)
        #expect(try hooks.text("vars/job/api", "k") == nil, "nothing takes effect before the hook has succeeded")
        try await hooks.end("a", .succeeded)
        #expect(try hooks.text("vars/job/api", "k") == "v")
        #expect(try hooks.text("secrets/job/api", "password") == "s3cret ")
        #expect(hooks.reports.all.isEmpty)
        await hooks.api.close()
    }

    @Test(arguments: [
        (#"get_store_value("vars/job/web", "k")"#, "400", "vars/job/web cannot be read by hooks of the job api"),
        (#"get_store_value("maand/worker/w2", "labels")"#, "400", "maand/worker/w2 cannot be read"),
        (#"get_store_value("vars/job/db", "k")"#, "404", "there is no key k in vars/job/db"),
        (#"get_store_value("vars/job/api", "none")"#, "404", "there is no key none in vars/job/api"),
        (#"get_store_value("nonsense", "k")"#, "400", "nonsense is not a namespace"),
        (#"put_job_variable("", "v")"#, "400", "`namespace` and `key` are required"),
        (#"put_job_variable("k", "")"#, "400", "`value` is missing or empty"),
        (#"put_job_variable("k", 5)"#, "400", "`value` has to be a text"),
        (#"put_job_variable("k", "x" * 65537)"#, "400", "the value of k is larger than 64 KiB"),
        (#"put_job_variable("k", "x" * 600000)"#, "413", "the request has more than 512 KiB"),
        (#"delete_job_variable("none")"#, "404", "there is no key none in vars/job/api"),
        (
            #"_request("PUT", "/kv", {"namespace": "vars/job/web", "key": "k", "value": "v"})"#, "400",
            "k of vars/job/web cannot be written: vars/job/web belongs to the job web"
        ),
        (
            #"_request("PUT", "/kv", {"namespace": "secrets/job/api", "key": "k", "value": "v"})"#, "400",
            "secrets/job/api holds secrets, which go to /kv/secret"
        ),
        (
            #"_request("PUT", "/kv", {"namespace": "maand/job/api", "key": "version", "value": "v"})"#, "400",
            "the values of maand/job/api follow from the job's manifest.json"
        ),
        (
            #"_request("PUT", "/kv/secret", {"namespace": "vars/job/api", "key": "k", "value": "v"})"#, "400",
            "vars/job/api holds no secrets"
        ),
        (#"_request("GET", "/nothing")"#, "404", "there is nothing at /nothing"),
        (#"_request("POST", "/kv", {})"#, "405", "/kv does not take this method"),
        (#"_request("GET", "/kv", [])"#, "400", "the body has to be a JSON object"),
        (#"acquire_semaphore("s", capacity=65)"#, "409", "cannot have the capacity 65"),
        (#"release_semaphore("s")"#, "409", "this allocation does not hold the semaphore s"),
        (#"list_job_keys("vars/bucket")"#, "400", "the keys of vars/bucket cannot be listed"),
    ])
    func whatIsNotAllowedSaysWhy(_ call: String, _ status: String, _ message: String) async throws {
        let hooks = try await Hooks()
        let output = try await hooks.python("r = maand.\(call)\nprint(r.status_code, r.text)", try hooks.identity())
        #expect(output.hasPrefix(status + " "), "\(output)")
        #expect(output.contains(message), "\(output)")
        if status == "400" {
            #expect(
                hooks.reports.all.first?.hasPrefix("job api, command command_x, event pre_deploy, worker w1: refused: ")
                    == true)
        }
        await hooks.api.close()
    }

    @Test(arguments: [("pre_deploy", "200"), ("cli", "400"), ("post_deploy", "400"), ("health_check", "400")])
    func theOrderIsPutBeforeARolloutAlone(_ event: String, _ status: String) async throws {
        let hooks = try await Hooks()
        let output = try await hooks.python(
            """
            print(maand.get_rollout_order().json()["value"])
            print(maand.put_rollout_order(["w2", "w1"]).status_code, maand.get_rollout_order().json()["value"])
            """, try hooks.identity(event: event))
        #expect(output == "w1,w2\n\(status) \(status == "200" ? "w2,w1" : "w1,w2")")
        await hooks.api.close()
    }

    @Test func aHealthCheckOnlyReads() async throws {
        let hooks = try await Hooks()
        let output = try await hooks.python(
            """
            for r in (maand.put_job_variable("k", "v"), maand.put_job_secret("k", "v"), maand.delete_job_variable("k"),
                      maand.delete_job_secret("k")):
                print(r.status_code, "health_check hooks only read" in r.text)
            """, try hooks.identity(event: "health_check"))
        #expect(output == Array(repeating: "400 True", count: 4).joined(separator: "\n"))
        await hooks.api.close()
    }

    @Test func withoutTheTokenNothingIsAnswered() async throws {
        let hooks = try await Hooks()
        let script = """
            import os
            token = os.environ["MAAND_API_TOKEN"]
            for text in ("", "wrong", token[:-1] + ("0" if token[-1] != "0" else "1")):
                os.environ["MAAND_API_TOKEN"] = text or "x"
                if not text:
                    c, _ = maand._connect(60, token)
                    c.request("GET", "/kv", '{"namespace": "vars/bucket", "key": "environment"}')
                    r = c.getresponse()
                    print(r.status, r.read().decode()[:25])
                else:
                    r = maand.get_store_value("vars/bucket", "environment")
                    print(r.status_code, r.text.strip())
            """
        let output = try await hooks.python(script, try hooks.identity())
        let lines = output.split(separator: "\n")
        #expect(lines.count == 3 && lines.allSatisfy { $0.hasPrefix("401 ") })
        #expect(lines.first == "401 this request has no token")
        #expect(lines.last == "401 the token is not that of a hook which runs now; it ends with its hook")
        await hooks.api.close()
    }

    @Test func whatAnAttemptLeftBehindIsRefused() async throws {
        let hooks = try await Hooks()
        let identity = try hooks.identity()
        let environment = try hooks.environment(identity)
        try await hooks.end("a", .failed)
        let (process, pipe) = try hooks.start("print(maand.put_job_variable('k', 'v').status_code)", environment)
        #expect(await Hooks.output(of: process, pipe) == "401")
        await hooks.api.close()
    }

    @Test func anotherAllocationsIDIsRefused() async throws {
        let hooks = try await Hooks()
        let output = try await hooks.python(
            """
            import os
            c, _ = maand._connect(60, "")
            c.request("GET", "/demands", headers={"Authorization": "Bearer " + os.environ["MAAND_API_TOKEN"],
                                                  "X-ALLOCATION-ID": "1234"})
            print(c.getresponse().status)
            """, try hooks.identity())
        #expect(output == "404")
        await hooks.api.close()
    }

    @Test func demandsNameWhoWantsTheCommand() async throws {
        let hooks = try await Hooks()
        let identity = try hooks.identity(job: "db", command: "command_schema")
        let output = try await hooks.python("print(maand.list_command_demands().json())", identity)
        #expect(
            output == "[{'job': 'api', 'command': 'command_migrate', 'demand_config': {'min_version': '2'}}]")
        await hooks.api.close()
    }

    @Test func aSemaphoreLetsOneAfterTheOtherPass() async throws {
        let hooks = try await Hooks(["a", "b"])
        let script = """
            maand.acquire_semaphore("s").raise_for_status()
            maand.acquire_semaphore("s").raise_for_status()
            import time, os
            open("log", "a").write("in\\n"); time.sleep(0.3); open("log", "a").write("out\\n")
            print(maand.semaphore_status("s").json()["available"], end=" ")
            print(maand.release_semaphore("s").status_code)
            """
        async let first = hooks.python(script, try hooks.identity("a"))
        async let second = hooks.python(script, try hooks.identity("b", worker: "w2"))
        #expect(try await [first, second] == ["0 200", "0 200"])
        let log = try String(contentsOfFile: hooks.folder + "/log", encoding: .utf8)
        #expect(log == "in\nout\nin\nout\n")
        let status = try await hooks.python("print(maand.semaphore_status('s').json())", try hooks.identity("a"))
        #expect(status == "{'name': 's', 'capacity': 1, 'holders': [], 'waiting': 0, 'available': 1}")
        await hooks.api.close()
    }

    @Test func aSemaphoreIsFreeWhenItsHolderHasEnded() async throws {
        let hooks = try await Hooks(["a", "b"])
        let held = try await hooks.python(
            "print(maand.acquire_semaphore('s').json()['acquired'])", try hooks.identity("a"))
        #expect(held == "True")
        let identity = try hooks.identity("b", worker: "w2")
        let late = try await hooks.python(
            "print(maand.acquire_semaphore('s', timeout_seconds=1).status_code)", identity)
        #expect(late == "408")
        async let waiting = hooks.python("print(maand.acquire_semaphore('s').status_code)", identity)
        let watcher = try hooks.identity("a")
        while try await hooks.python("print(maand.semaphore_status('s').json()['waiting'])", watcher) != "1" {}
        try await hooks.end("a", .failed)
        #expect(try await waiting == "200")
        #expect(try hooks.catalog.semaphoreSlots(of: hooks.run.id).map(\.holder.text) == ["w2"])
        await hooks.api.close()
    }

    @Test func aHookGoesOnWithTheProcessThatContinuesTheRun() async throws {
        let first = try await Hooks()
        let script = """
            import os, sys, time
            maand.acquire_semaphore("s").raise_for_status()
            maand.put_job_variable("before", "1").raise_for_status()
            open("ready", "w").close()
            while not os.path.exists("go"): time.sleep(0.01)
            maand.put_job_variable("after", "1").raise_for_status()
            print(maand.semaphore_status("s").json()["available"], maand.get_kv_value("vars/job/api", "before"))
            """
        let (process, pipe) = try first.start(script, first.environment(try first.identity()))
        try await Hooks.exists(first.folder + "/ready")
        await first.api.close()
        try first.catalog.close()
        _ = FileManager.default.createFile(atPath: first.folder + "/go", contents: nil)
        let second = try await Hooks(in: first.folder, continuing: true)
        _ = try second.api.admit(try second.identity())
        let output = await Hooks.output(of: process, pipe)
        #expect(output == "0 1")
        try await second.end("a", .succeeded)
        #expect(try second.text("vars/job/api", "before") == "1")
        #expect(try second.text("vars/job/api", "after") == "1")
        await second.api.close()
    }

    @Test func nothingButTheModuleIsImportedFromItsFolder() async throws {
        let hooks = try await Hooks()
        let files = FileManager.default
        let folder = hooks.folder + "/.hooks/python"
        for file in ["sitecustomize.py", "json.py", "python/sitecustomize.py", "python/json.py"] {
            try Data("open('\(hooks.folder)/ran', 'w')".utf8).write(
                to: URL(fileURLWithPath: hooks.folder + "/.hooks/" + file))
        }
        try Data("altered".utf8).write(to: URL(fileURLWithPath: folder + "/maand.py"))
        try files.createDirectory(atPath: folder + "/__pycache__", withIntermediateDirectories: true)
        let script = "print(maand.get_kv_value('vars/bucket', 'environment'))"
        #expect(try await hooks.python(script, try hooks.identity()) == "test")
        #expect(!files.fileExists(atPath: hooks.folder + "/ran"))
        #expect(try files.contentsOfDirectory(atPath: folder) == ["maand.py"])
        // A folder that is a link, or no folder, is replaced; what cannot be is said in words.
        try files.removeItem(atPath: folder)
        try files.createSymbolicLink(atPath: folder, withDestinationPath: hooks.folder)
        #expect(try await hooks.python(script, try hooks.identity()) == "test")
        #expect(try files.contentsOfDirectory(atPath: folder) == ["maand.py"])
        try files.removeItem(atPath: hooks.folder + "/.hooks")
        try Data().write(to: URL(fileURLWithPath: hooks.folder + "/.hooks"))
        let error = #expect(throws: HookFileProblem.self) { _ = try hooks.api.admit(try hooks.identity()) }
        #expect(error.map { "\($0)".contains("cannot be written for hooks: ") && !"\($0)".contains("code ") } == true)
        await hooks.api.close()
    }

    @Test func noSecretIsInTheFilesOrReports() async throws {
        let hooks = try await Hooks()
        let secret = "planted-\(UInt64.random(in: .min ... .max))"
        let output = try await hooks.python(
            """
            import os
            maand.put_job_secret("password", "\(secret)").raise_for_status()
            maand._request("PUT", "/kv", {"namespace": "secrets/job/api", "key": "k", "value": "\(secret)"})
            maand._request("PUT", "/kv/secret", {"namespace": "secrets/job/web", "key": "k", "value": "\(secret)"})
            c, _ = maand._connect(60, "")
            c.request("PUT", "/kv/secret", '{"namespace": "secrets/job/api", "key": "k", "value": "\(secret)" oops',
                      {"Authorization": "Bearer " + os.environ["MAAND_API_TOKEN"]})
            print(c.getresponse().read().decode())
            """, try hooks.identity())
        try await hooks.end("a", .succeeded)
        #expect(output.contains("not valid JSON"))
        #expect(try hooks.text("secrets/job/api", "password") == secret)
        #expect(hooks.reports.all.count == 3)
        #expect(!(hooks.reports.all + [output]).contains { $0.contains(secret) })
        for case let file as String in try #require(FileManager.default.enumerator(atPath: hooks.folder)) {
            guard let data = FileManager.default.contents(atPath: hooks.folder + "/" + file) else { continue }
            #expect(data.range(of: Data(secret.utf8)) == nil, "\(file)")
        }
        await hooks.api.close()
    }

    @Test func writesThatCountAndThoseThatAreRefusedAreStruckOutWithinBounds() async throws {
        let hooks = try await Hooks()
        let identity = try hooks.identity()
        let write = { (first: String, count: Int) in
            try await hooks.python(
                """
                r = [maand.put_job_secret("k", t).status_code for t in ["\(first)"] + ["%064000d" % n for n in range(\(count))]]
                print(sorted(set(r)), len(r))
                """, identity)
        }
        func struck(_ text: String) -> String {
            let secrets = hooks.api.secrets(seenBy: identity.job)
            return String(decoding: Redaction.strike(secrets, from: Array(text.utf8)), as: UTF8.self)
        }
        #expect(try await write("taken-1", 1) == "[200] 2")
        #expect(struck("taken-1") == "***")
        try await hooks.catalog.commit(
            Checkpoint(
                run: hooks.run.id, at: Timestamp(milliseconds: 1),
                steps: [.outcome(step: StepID("a"), attempt: 1, state: .succeeded)]))
        #expect(try await write("refused-1", 20) == "[400] 21")
        #expect(struck("taken-1 refused-1 neither") == "*** *** neither")
        await hooks.api.close()
    }

    @Test func ofAJobThatHasSeenTooManySecretsNothingIsShown() async throws {
        let hooks = try await Hooks()
        let identity = try hooks.identity()
        var others = StruckSecrets()
        for n in 0..<262 { others.insert(String(repeating: "\(n)-", count: 64_000 / "\(n)-".utf8.count)) }
        hooks.api.note(others, seenBy: identity.job)
        #expect(others.isEmpty == false)
        let output = try await hooks.python(
            """
            for n in range(3): maand.put_job_secret("k", "%064000d" % n).raise_for_status()
            """, identity)
        #expect(output == "")
        let shown = Redaction.strike(hooks.api.secrets(seenBy: identity.job), from: Array("harmless".utf8))
        #expect(String(decoding: shown, as: UTF8.self).hasPrefix("[this output is left out: hooks of its job may have"))
        let other = try hooks.identity(job: "web")
        #expect(Redaction.strike(hooks.api.secrets(seenBy: other.job), from: [0x61]) == [0x61])
        await hooks.api.close()
    }
}
