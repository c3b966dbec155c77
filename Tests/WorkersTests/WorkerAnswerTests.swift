import Testing

@testable import Workers

struct WorkerAnswerTests {
    private func parse(_ text: String) -> WorkerAnswer? { WorkerAnswer(Array(text.utf8), nonce: "abc") }

    @Test func takesRecordsWithTheirPayloads() throws {
        let answer = try #require(
            parse("motd\n\n@abc state finished exit 0 1 5 0\n\n@abc out 5\nhi\n\n\n\n@abc end\nbye"))
        #expect(answer.records.map(\.name) == ["state", "out"])
        #expect(answer["out"]?.payload == Array("hi\n\n\n".utf8))
        #expect(try AttemptReport(answer, expectedGeneration: nil).isFinishedWell)
    }

    @Test func payloadsMayBeAnything() throws {
        let hostile: [UInt8] = [0, 255, 10, 64] + Array("\n@abd end\n\n@ab end\n@abcend\n@abc\n".utf8) + [0xC3]
        let bytes = Array("\n@abc out \(hostile.count)\n".utf8) + hostile + Array("\n@abc end\n".utf8)
        let answer = try #require(WorkerAnswer(bytes, nonce: "abc"))
        #expect(try answer.tail("out") == Tail(bytes: hostile, total: hostile.count))
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
            #expect(throws: InvalidAnswer.self, "\(state)") { try AttemptReport(answer, expectedGeneration: nil) }
        }
    }

    @Test(arguments: [Int.max, .min, -1])
    func numbersThatNoWorkerCanMeanEndNothing(_ number: Int) throws {
        let answer = try #require(parse("\n@abc state finished exit 0 \(number) 0 0\n\n@abc end\n"))
        guard case .finished(let result) = try AttemptReport(answer, expectedGeneration: nil) else {
            Issue.record("it ended")
            return
        }
        #expect(result.duration >= .zero && result.duration < .seconds(4_000_000_000))
        let owned = try #require(parse("\n@abc owner me \(number) run\n\n@abc state inventory\n\n@abc end\n"))
        #expect(try owned.owner == Owner(controller: "me", sequence: Owner.implausible, run: "run"))
    }

    @Test(arguments: [
        "state finished exit -1 1 0 0", "state finished exit 256 1 0 0", "state died 1,-2", "state died 1,x",
        "state busy ../x\u{1b}[31m", "state generation \u{1b}", "state owner a\u{1b} 1 x", "state refused \u{7}",
        "state notstarted \u{1b}]0;t", "state finished exit 0 1 0 0\n\n@abc out -1",
        "state finished exit 0 1 0 0\n\n@abc err 99999999999999999", "state \(String(repeating: "x", count: 500))",
    ])
    func anAttemptOfWhichNoWorkerSpeaksSoIsRefused(_ text: String) throws {
        let answer = try #require(parse("\n@abc \(text)\n\n@abc end\n"))
        do throws(InvalidAnswer) {
            _ = try AttemptReport(answer, expectedGeneration: nil)
            Issue.record("it was taken")
        } catch {
            #expect(error.reason.unicodeScalars.allSatisfy { $0.value >= 0x20 } && error.reason.count < 200)
        }
    }

    @Test(arguments: [
        "state drift -1", "state drift x", "state drift 1\n\n@abc drift none ./../x",
        "state drift 1\n\n@abc drift none ./a\u{1b}[2J", "state drift 1\n\n@abc drift zz.644 ./a",
        "state drift 1\n\n@abc drift none",
        "state busy \u{1b}", "state pushed?",
        "state drift 201" + String(repeating: "\n\n@abc drift none ./a", count: 201),
    ])
    func aPushOfWhichNoWorkerSpeaksSoIsRefused(_ text: String) throws {
        let answer = try #require(parse("\n@abc \(text)\n\n@abc end\n"))
        #expect(throws: InvalidAnswer.self) { try PushReport(answer, expectedGeneration: nil) }
    }

    @Test(arguments: [
        "fact generation g \u{1b}", "fact boot \u{1b}[2J", "fact free -5", "fact free x", "owner a\u{1b} 1 x",
    ])
    func aPreflightOfWhichNoWorkerSpeaksSoIsRefused(_ text: String) throws {
        let facts = "\n@abc fact generation g.1\n\n@abc fact boot b\n\n@abc fact clock 1\n"
        let answer = try #require(parse(facts + "\n@abc \(text)\n\n@abc state preflight\n\n@abc end\n"))
        #expect(throws: InvalidAnswer.self) {
            try PreflightReport(answer, transport: LocalTransport(bucket: "/nowhere"))
        }
    }

    @Test func faultsThatAWorkerNamesDoNothingToATerminal() throws {
        let facts = "\n@abc fact generation g.1\n\n@abc fact boot b\n\n@abc fact clock 1\n"
        let fault =
            "\n@abc fault tool \u{1b}]0;x\u{7}\u{202e}Run 1 succeeded." + String(repeating: "y", count: 1000) + "\n"
        let faults = String(repeating: fault, count: 1000)
        let answer = try #require(parse(facts + faults + "\n@abc state preflight\n\n@abc end\n"))
        let report = try PreflightReport(answer, transport: LocalTransport(bucket: "/nowhere"))
        #expect(report.faults.count <= 20 && report.faults.allSatisfy { $0.utf8.count < 400 })
        #expect(!report.faults.joined().unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x202e })
    }

    @Test(arguments: ["9223372036854775807", "-9223372036854775808", "99999999999999999999", "abc", "-1"])
    func aClockThatShowsNoTimeIsAFault(_ clock: String) throws {
        let facts = "\n@abc fact generation g.1\n\n@abc fact boot b\n\n@abc fact clock \(clock)\n"
        let answer = try #require(parse(facts + "\n@abc state preflight\n\n@abc end\n"))
        let report = try PreflightReport(answer, transport: LocalTransport(bucket: "/nowhere"))
        #expect(report.faults.contains { $0.contains("its clock shows \(clock) seconds") })
    }
}

extension AttemptReport {
    fileprivate var isFinishedWell: Bool {
        if case .finished(let result) = self { return result.isSuccess }
        return false
    }
}
