import Foundation
import HookAPI
import Synchronization
import Testing

/// What hooks ask to run on workers, as far as the API knows it.
@Suite(.timeLimit(.minutes(15))) struct HookWorkerCommandTests {
    private final class Asked: Sendable {
        private let commands = Mutex<[HookWorkerCommand]>([])

        func note(_ command: HookWorkerCommand) { commands.withLock { $0.append(command) } }
        var all: [HookWorkerCommand] { commands.withLock { $0 } }
    }

    private static func ended(
        _ status: Int = 0, timedOut: Bool = false, _ output: String = "", _ errors: String = "", leftOut: Int = 0
    ) -> HookWorkerOutcome {
        let bytes = Array(output.utf8)
        return .ended(
            exitStatus: status, timedOut: timedOut, output: .init(bytes: bytes, total: bytes.count + leftOut),
            errorOutput: .init(bytes: Array(errors.utf8), total: errors.utf8.count))
    }

    @Test func whatIsAskedArrivesWhole() async throws {
        let asked = Asked()
        let hooks = try await Hooks(workers: { command in
            asked.note(command)
            return Self.ended(0, "äöü\n\u{0}", "e\n")
        })
        let text = try await hooks.python(
            #"""
            result = maand.run_ssh("w1", "echo 'ä'; cat", 7, input="in\n\x00'$x'")
            print(result.returncode, repr(result.stdout), repr(result.stderr))
            maand.run_ssh("w2", "true", input=b"bytes")
            maand.run_ssh(worker_ip="w2", remote_cmd="true", check=True, connect_timeout=3)
            """#, try hooks.identity())
        #expect(text == #"0 'äöü\n\x00' 'e\n'"#)
        #expect(asked.all.map(\.worker) == ["w1", "w2", "w2"])
        #expect(asked.all.map(\.lines) == ["echo 'ä'; cat", "true", "true"])
        #expect(asked.all.map(\.input) == ["in\n\u{0}'$x'", "bytes", nil])
        #expect(asked.all.map(\.timeout) == [7, 300, 300])
        await hooks.api.close()
    }

    @Test func howItEnded() async throws {
        let hooks = try await Hooks(workers: { command in
            switch command.worker {
            case "fails": Self.ended(3, "out", "err")
            case "late": Self.ended(143, timedOut: true, "part")
            case "much": Self.ended(0, "end", leftOut: 12)
            case "away": .failed("away: it does not answer")
            default: .unknownWorker("\(command.worker) is no worker of this bucket")
            }
        })
        let text = try await hooks.python(
            """
            import subprocess
            for worker in ("fails", "late", "away", "x"):
                try:
                    maand.run_ssh(worker, "true", timeout=5)
                except subprocess.CalledProcessError as error:
                    print(worker, error.returncode, error.output, error.stderr.strip())
                except subprocess.TimeoutExpired as error:
                    print(worker, error.timeout, error.output)
                except maand.HTTPError as error:
                    print(worker, error.response.status_code, error)
            print(maand.run_ssh("fails", "true", check=False).returncode, maand.run_ssh("away", "x", check=False).stderr)
            print(maand.run_ssh("much", "true").stdout)
            """, try hooks.identity())
        for words in [
            "fails 3 out err\n", "late 5 part\n", "away 255  away: it does not answer\n",
            "3 away: it does not answer\n",
            "\nend", "maand: of stdout of the command on much, the first 12 bytes are left out",
        ] {
            #expect(text.contains(words))
        }
        #expect(text.contains("x 404 404 for POST /worker/command: x is no worker of this bucket"))
        await hooks.api.close()
    }

    @Test(arguments: [
        (#"{"command": "x"}"#, "`worker` and `command` are required"),
        (#"{"worker": "w1", "command": ""}"#, "`worker` and `command` are required"),
        (#"{"worker": "w1", "command": "x", "timeout_seconds": 0}"#, "`timeout_seconds` is 1 to 86400"),
        (#"{"worker": "w1", "command": "a\u0000b"}"#, "no zero byte"),
        (#"{"worker": "w1", "command": "x", "input": 1}"#, "`input` has to be a text"),
    ])
    func whatIsNoCommand(_ body: String, _ words: String) async throws {
        let hooks = try await Hooks(workers: { _ in Self.ended() })
        let text = try await hooks.python(
            "print(maand._request('POST', '/worker/command', maand._json.loads(r'''\(body)''')).text)",
            try hooks.identity())
        #expect(text.contains(words))
        await hooks.api.close()
    }

    @Test func limits() async throws {
        let hooks = try await Hooks(workers: { _ in Self.ended() })
        let text = try await hooks.python(
            """
            maand.run_ssh("w1", "x" * (100 << 10), input="y" * (256 << 10))
            for line, input in (("x" * ((100 << 10) + 1), ""), ("x", "y" * ((256 << 10) + 1))):
                try:
                    maand.run_ssh("w1", line, input=input)
                except maand.HTTPError as error:
                    print(error.response.status_code)
            """, try hooks.identity())
        #expect(text == "400\n400")
        await hooks.api.close()
    }

    /// A rollout that ends in the middle may have run it; so the hook does not ask the next one.
    @Test func itIsNotSentTwice() async throws {
        let asked = Asked()
        let folder = NSTemporaryDirectory() + "hooks-\(UInt64.random(in: .min ... .max))"
        let first = try await Hooks(
            in: folder,
            workers: { command in
                asked.note(command)
                try? FileManager.default.createDirectory(atPath: folder + "/asked", withIntermediateDirectories: true)
                try? await Task.sleep(for: .seconds(600))
                return Self.ended()
            })
        let (process, pipe) = try first.start(
            """
            try:
                maand.run_ssh("w1", "true")
            except ConnectionError as error:
                print(error)
            """, try first.environment(try first.identity()))
        try await Hooks.exists(folder + "/asked")
        await first.api.close()
        let second = try await Hooks(
            in: folder, continuing: true, living: ["a"],
            workers: { command in
                asked.note(command)
                return Self.ended()
            })
        #expect(await Hooks.output(of: process, pipe).contains("the outcome is unknown"))
        #expect(asked.all.count == 1)
        await second.api.close()
    }
}
