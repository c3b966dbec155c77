import Catalog
import Foundation
import HookAPI
import KeyValues
import Model
import Plans
import Testing

/// Where hooks ask: the socket, and the port that `hook_api_port` asks for.
@Suite(.timeLimit(.minutes(15))) struct HookAddressTests {
    private static let read = "print(maand.get_kv_value('vars/bucket', 'environment'))"

    private func mode(_ path: String) -> UInt32 {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    @Test(arguments: [0, 60, 180])
    func theSocketIsForThisUserAlone(_ more: Int) async throws {
        let folder = NSTemporaryDirectory() + "hooks-\(UInt64.random(in: .min ... .max))"
        let long = more == 0 ? folder : folder + "/" + String(repeating: "x", count: more)
        // As a process with another umask would have left it.
        try FileManager.default.createDirectory(atPath: long + "/.hooks/api", withIntermediateDirectories: true)
        chmod(long + "/.hooks", 0o777)
        chmod(long + "/.hooks/api", 0o777)
        let hooks = try await Hooks(in: long)
        let environment = try hooks.environment(try hooks.identity())
        let path = try #require(environment["MAAND_API_SOCKET"])
        #expect(environment["MAAND_API_URL"] == nil && environment["JOB_COMMAND_API_HOST"] == nil)
        #expect(path.hasPrefix(long + "/.hooks/api/"))
        #expect(mode(long + "/.hooks") == 0o700 && mode(long + "/.hooks/api") == 0o700)
        #expect(mode(long + "/.hooks/python") == 0o700 && mode(long + "/.hooks/python/maand.py") == 0o600)
        #expect(try await hooks.python(Self.read, try hooks.identity()) == "test")
        await hooks.api.close()
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func whatKilledProcessesLeftIsRemovedAndWhatLivesStays() async throws {
        let folder = NSTemporaryDirectory() + "hooks-\(UInt64.random(in: .min ... .max))"
        let api = folder + "/.hooks/api"
        try FileManager.default.createDirectory(atPath: api, withIntermediateDirectories: true)
        let made = Process()
        made.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        made.arguments = [
            "-c",
            "import os, socket, time\nos.chdir('\(api)')\n"
                + "for name in ('dead', 'n1', 'alive'):\n s = socket.socket(socket.AF_UNIX); s.bind(name)\n"
                + "s.listen(); open('\(folder)/listens', 'w').close(); time.sleep(100)",
        ]
        try made.run()
        defer { made.terminate() }
        try await Hooks.exists(folder + "/listens")
        let hooks = try await Hooks(in: folder)
        #expect(Set(try FileManager.default.contentsOfDirectory(atPath: api)) == ["alive", "n1"])
        #expect(try await hooks.python(Self.read, try hooks.identity()) == "test")
        await hooks.api.close()
    }

    @Test func aLaterProcessAnswersAtTheSamePlaceAndKnowsWhoLives() async throws {
        let first = try await Hooks(["a", "b"])
        let lives = try first.environment(try first.identity("a"))
        let ended = try first.environment(try first.identity("b"))
        await first.api.close()
        let second = try await Hooks(in: first.folder, continuing: true, living: ["a"])
        #expect(try second.environment(try second.identity("a")) == lives)
        for (environment, answer) in [(lives, "200"), (ended, "401")] {
            let script = "print(maand.get_store_value('vars/bucket', 'environment').status_code)"
            let (process, pipe) = try second.start(script, environment)
            #expect(await Hooks.output(of: process, pipe) == answer)
        }
        // As soon as the process has ended, whatever is recorded of it.
        second.api.dismiss(try second.identity("a").attempt)
        let (process, pipe) = try second.start("print(maand.list_job_keys().status_code)", lives)
        #expect(await Hooks.output(of: process, pipe) == "401")
        await second.api.close()
    }

    @Test func thePortProvesThatItIsTheRollout() async throws {
        let hooks = try await Hooks(port: 0)
        var environment = try hooks.environment(try hooks.identity())
        environment["MAAND_API_SOCKET"] = nil
        #expect(environment["JOB_COMMAND_API_HOST"] == "127.0.0.1")
        let (process, pipe) = try hooks.start(
            Self.read + "\nmaand.put_job_variable('k', 'v').raise_for_status()", environment)
        #expect(await Hooks.output(of: process, pipe) == "test")
        // What a module of one's own says that knows nothing of proofs.
        let (own, answer) = try hooks.start(
            """
            import http.client, os
            c = http.client.HTTPConnection(os.environ["MAAND_API_URL"][7:])
            c.request("GET", "/demands", headers={"Authorization": "Bearer " + os.environ["MAAND_API_TOKEN"]})
            print(c.getresponse().status)
            for path in ("/hello", "/hello?hook=1&challenge=" + "0" * 64, "/hello?hook=%s&challenge=1"):
                c = http.client.HTTPConnection(os.environ["MAAND_API_URL"][7:])
                c.request("GET", path.replace("%s", maand._code(os.environ["MAAND_API_TOKEN"], "maand hook")))
                print(c.getresponse().status)
            """, environment)
        #expect(await Hooks.output(of: own, answer) == "200\n401\n401\n401")
        await hooks.api.close()
    }

    /// Whoever has the port, and whoever passes on what it hears, learns no token.
    @Test(arguments: ["silent", "refusing", "lying", "echoing", "closing", "passing on"])
    func aStrangerAtThePortIsNotToldTheToken(_ kind: String) async throws {
        let hooks = try await Hooks(port: 0)
        let output = try await hooks.python(
            """
            import http.client, os, socket, threading
            real = int(os.environ["MAAND_API_URL"].split(":")[-1])
            del os.environ["MAAND_API_SOCKET"]
            heard = []
            def answer(status, body, more=""):
                return ("HTTP/1.1 %s\\r\\nContent-Length: %d\\r\\n%s\\r\\n%s" % (status, len(body), more, body)).encode()
            def serve(c):
                up = socket.create_connection(("127.0.0.1", real)) if "\(kind)" == "passing on" else None
                while True:
                    data = c.recv(65536)
                    if not data: return
                    heard.append(data)
                    if up:
                        up.sendall(data)
                        c.sendall(up.recv(65536))
                    elif "\(kind)" == "refusing": c.sendall(answer("401 No", "no"))
                    elif "\(kind)" == "lying": c.sendall(answer("200 OK", '{"proof": "' + "0" * 64 + '"}'))
                    elif "\(kind)" == "echoing": c.sendall(answer("200 OK", '{"proof": "%s"}' % data.decode().split("=")[2][:64]))
                    elif "\(kind)" == "closing": c.sendall(answer("200 OK", '{"proof": ""}', "Connection: close\\r\\n"))
            def accept():
                while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
            s = socket.socket()
            s.bind(("127.0.0.1", 0))
            s.listen()
            threading.Thread(target=accept, daemon=True).start()
            os.environ["MAAND_API_URL"] = "http://127.0.0.1:%d" % s.getsockname()[1]
            maand.PATIENCE = 0
            try: print(maand.get_store_value("vars/bucket", "environment").status_code)
            except maand.NotTheRollout: print("refused")
            print(len(heard) > 0, os.environ["MAAND_API_TOKEN"].encode() in b"".join(heard))
            """, try hooks.identity())
        #expect(output == "refused\nTrue False")
        await hooks.api.close()
    }

    /// Ten times as many as may be there without a token, on either way, some of which say a part of something.
    @Test(arguments: [true, false])
    func connectionsThatSayNothingKeepNobodyOut(_ isPort: Bool) async throws {
        let hooks = try await Hooks(port: isPort ? 0 : nil)
        let output = try await hooks.python(
            """
            import os, socket
            if \(isPort ? "True" : "False"):
                del os.environ["MAAND_API_SOCKET"]
                address = ("127.0.0.1", int(os.environ["MAAND_API_URL"].split(":")[-1]))
            else: address = os.environ["MAAND_API_SOCKET"]
            idle = []
            for number in range(640):
                idle.append(socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX))
                idle[-1].connect(address)
                try:
                    if number % 3: idle[-1].sendall(b"GET /kv HTTP/1.1\\r\\nX: " + b"y" * 1000)
                    if number % 7 == 0: idle[-1].sendall(b"\\x00\\xff\\r\\n\\r\\n")
                except OSError: pass
            print(maand.get_kv_value("vars/bucket", "environment"))
            gone = 0
            for s in idle[:500]:
                s.settimeout(60)
                try: gone += s.recv(1) == b"" or s.recv(65536) != b""
                except TimeoutError: pass
                except OSError: gone += 1
            print(gone)
            """, try hooks.identity())
        #expect(output == "test\n500")
        await hooks.api.close()
    }

    @Test func aHookThatAsksForTooMuchAtOnceKeepsNoOtherOut() async throws {
        let hooks = try await Hooks(["a", "b", "c"])
        // One holds the semaphore, for which another waits again and again.
        let held = "maand.acquire_semaphore('s').raise_for_status()"
        #expect(try await hooks.python(held, try hooks.identity("b", worker: "w2")) == "")
        // What is too much is answered at once, what waits is not; `asked` says so, and after `go` all of it is given up.
        let (greedy, answers) = try hooks.start(
            """
            import os, select, time
            waiting = {}
            for number in range(70):
                c, _ = maand._connect(600, "")
                c.request("POST", "/semaphore/acquire", '{"name": "s", "capacity": 1, "timeout_seconds": 600}',
                          {"Authorization": "Bearer " + os.environ["MAAND_API_TOKEN"]})
                waiting[c.sock] = c
            statuses = []
            while len(statuses) < 6:
                for ready in select.select(list(waiting), [], [], 300)[0]:
                    statuses.append(waiting.pop(ready).getresponse().status)
            open("asked", "w").close()
            while not os.path.exists("go"): time.sleep(0.01)
            print(statuses, len(waiting), select.select(list(waiting), [], [], 0)[0])
            waiting.clear()
            while maand.get_store_value("vars/bucket", "environment").status_code == 503: time.sleep(0.01)
            print(maand.get_kv_value("vars/bucket", "environment"))
            """, try hooks.environment(try hooks.identity("a")))
        try await Hooks.exists(hooks.folder + "/asked")
        #expect(try await hooks.python(Self.read, try hooks.identity("c")) == "test")
        _ = FileManager.default.createFile(atPath: hooks.folder + "/go", contents: nil)
        #expect(await Hooks.output(of: greedy, answers) == "[503, 503, 503, 503, 503, 503] 64 []\ntest")
        await hooks.api.close()
    }

    @Test func aPortThatSomebodyElseHasIsNotGivenUpWhileHooksKnowIt() async throws {
        let first = try await Hooks(port: 0)
        let url = try #require(try first.api.admit(try first.identity())["MAAND_API_URL"])
        let port = try #require(url.split(separator: ":").last.flatMap { Int($0) })
        await first.api.close()
        let stranger = Process()
        stranger.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        stranger.arguments = [
            "-c",
            """
            import socket, sys, time
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", \(port)))
            s.listen()
            open("\(first.folder)/listens", "w").close()
            time.sleep(100)
            """,
        ]
        try stranger.run()
        defer { stranger.terminate() }
        try await Hooks.exists(first.folder + "/listens")
        let open = { (living: [HookIdentity]) in
            try await HookAPI.open(
                bucketFolder: first.folder, bucket: "b-1", facts: Hooks.facts, catalog: first.catalog,
                vault: try Vault.openOrCreate(in: first.folder, for: first.catalog), run: first.run, port: 0,
                living: living, workers: { .unknownWorker($0.worker) },
                now: { Timestamp(milliseconds: 1) }, report: { _ in })
        }
        let identity = try first.identity()
        let taken = await #expect(throws: HookPortTaken.self) { _ = try await open([identity]) }
        #expect(taken?.port == port)
        // Where no hook can know it, any other will do.
        let moved = try await open([])
        #expect(try moved.admit(identity)["MAAND_API_URL"] != url)
        await moved.close()
    }
}
