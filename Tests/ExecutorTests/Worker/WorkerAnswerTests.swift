import Testing

@testable import Executor

struct WorkerAnswerTests {
    private func parse(_ text: String) -> WorkerAnswer? { WorkerAnswer(Array(text.utf8), nonce: "abc") }

    @Test func takesRecordsWithTheirPayloads() throws {
        let answer = try #require(
            parse("motd\n\n@abc state finished exit 0 1 5 0\n\n@abc out 5\nhi\n\n\n\n@abc end\nbye"))
        #expect(answer.records.map(\.name) == ["state", "out"])
        #expect(answer["out"]?.payload == Array("hi\n\n\n".utf8))
        #expect(AttemptReport(answer, expectedGeneration: nil)?.isFinishedWell == true)
    }

    @Test func payloadsMayBeAnything() throws {
        let hostile: [UInt8] = [0, 255, 10, 64] + Array("\n@abd end\n\n@ab end\n@abcend\n@abc\n".utf8) + [0xC3]
        let bytes = Array("\n@abc out \(hostile.count)\n".utf8) + hostile + Array("\n@abc end\n".utf8)
        let answer = try #require(WorkerAnswer(bytes, nonce: "abc"))
        #expect(answer.tail("out") == Tail(bytes: hostile, total: hostile.count))
    }

    @Test func onlyAWholeAnswerIsOne() {
        let whole = Array("x\n@abc state finished exit 0 1 3 0\n\n@abc out 3\na\nb\n@abc end\n".utf8)
        #expect(WorkerAnswer(whole, nonce: "abc") != nil)
        for length in 0..<whole.count {
            #expect(WorkerAnswer(Array(whole.prefix(length)), nonce: "abc") == nil, "cut at \(length)")
        }
        #expect(parse("") == nil)
        #expect(parse("\n@other state finished exit 0 1 0 0\n\n@other end\n") == nil)
    }

    @Test func statesThatMakeNoSenseAreNotBelieved() throws {
        for state in ["finished", "finished exit", "finished exit x 1 0 0", "finished exit 0 1", "done", ""] {
            let answer = try #require(parse("\n@abc state \(state)\n\n@abc end\n"))
            #expect(AttemptReport(answer, expectedGeneration: nil) == nil, "\(state)")
        }
    }

    @Test(arguments: [Int.max, .min, -1])
    func numbersThatNoWorkerCanMeanEndNothing(_ number: Int) throws {
        let state = "\n@abc state finished exit 0 \(number) 0 0\n"
        let answer = try #require(parse(state + "\n@abc out \(number)\n\n@abc end\n"))
        guard case .finished(let result) = AttemptReport(answer, expectedGeneration: nil) else {
            Issue.record("it ended")
            return
        }
        #expect(result.duration >= .zero && result.duration < .seconds(4_000_000_000))
        #expect(result.output.total >= 0)
        let owned = try #require(parse("\n@abc owner me \(number) run\n\n@abc state inventory\n\n@abc end\n"))
        let drifted = try #require(parse("\n@abc state drift \(number)\n\n@abc end\n"))
        let report = PushReport(drifted, expectedGeneration: nil)
        #expect(report == .drift([], total: max(number, 0)))
        #expect(owned.owner == Owner(controller: "me", sequence: Owner.implausible, run: "run"))
    }

    @Test(arguments: ["9223372036854775807", "-9223372036854775808", "99999999999999999999", "abc", "-1"])
    func aClockThatShowsNoTimeIsAFault(_ clock: String) throws {
        let facts = "\n@abc fact generation g.1\n\n@abc fact boot b\n\n@abc fact clock \(clock)\n"
        let answer = try #require(parse(facts + "\n@abc state preflight\n\n@abc end\n"))
        let report = try #require(PreflightReport(answer, transport: LocalTransport(bucket: "/nowhere")))
        #expect(report.faults.contains { $0.contains("its clock shows \(clock) seconds") })
    }
}

extension AttemptReport {
    fileprivate var isFinishedWell: Bool {
        if case .finished(let result) = self { return result.isSuccess }
        return false
    }
}
