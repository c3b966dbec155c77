import Model
import Plans
import Testing

@testable import Review

/// Plans from a stranger: whatever the format of a plan lets anybody write, in every place that a reviewer sees.
enum Hostile {
    static let texts: [String] = [
        "x\u{1b}[2J\u{1b}]0;title\u{7}\n  Wave 9\u{9b}m", "\u{202e}gnp.exe\u{2066}", "a\u{2028}Wave 9\u{2029}\u{85}b",
        "`\n```\n# Wave 9", "``` x ``", "`", "</code></script><script>alert(1)</script>", "<!-- --> ]]> &lt; &#64;",
        "</summary></details>", "@torvalds #1 www.evil.example http://evil.example", "[x](http://evil.example) ![y](z)",
        "a | b \\| c", "\" onload='x' ", "\\u{1b}", "e" + String(repeating: "\u{301}", count: 50),
        "padding" + String(repeating: " ", count: 200) + "Plan: nothing to do", String(repeating: "long", count: 2000),
        "\u{200b}\u{feff}\u{ad}\u{e0041}", " ", "~~~ ~~~~", "$x$ \\(y\\) :smile: **bold** _it_", "a\r\nb\rc",
    ]

    /// Every field that is free text holds `evil`.
    static func plan(_ evil: String) throws -> Plan {
        var plan = try Samples.plan(workers: ["w1", "w2"], batch: 1)
        plan.fleet.bucket = evil
        plan.fleet.workerRoot = "/" + evil
        for index in plan.fleet.workers.indices {
            plan.fleet.workers[index].address = evil
            plan.fleet.workers[index].zone = evil
            plan.fleet.workers[index].ssh = .init(port: 22, user: evil, hostKeys: [evil])
        }
        for index in plan.work.body.reconcile.indices { plan.work.body.reconcile[index].from.version = evil }
        var job = plan.work.body.waves[0].jobs[0]
        job.version = evil
        job.from[0].name = evil
        job.from[0].value.version = evil + "2"
        job.changes[0].name = evil
        let digests = contents(evil).keys.sorted()
        job.changes[0].value = [
            FileChange(path: evil, kind: .modified, from: digests[0], to: digests[1]),
            FileChange(path: "b/" + evil, kind: .added, from: nil, to: digests[1]),
            FileChange(path: "c/" + evil, kind: .mode, from: digests[0], to: digests[0]),
        ]
        for batch in job.phases[0].batches.indices {
            job.phases[0].batches[batch][0].from = evil
            job.phases[0].batches[batch][0].matched = [.init(evil, [evil, evil, evil, evil])]
        }
        job.batching.spread = evil
        job.ports = [.init(evil, 80)]
        job.healthCheck?.checks = [.ssh(command: evil), .http(port: 1, path: evil, expectStatus: 200)]
        job.hooks = Hooked.hooks
        // One of those around an allocation is as good as all: all of it has to fit into a comment.
        let left = HookEvent.around.dropLast() + [.cli, .postBuild, .afterAllocationStopped]
        for event in HookEvent.allCases where !left.contains(event) {
            job.hooks?.commands[event] = [.init(command: evil, script: evil, digest: digests[0], isRepeatable: true)]
        }
        var canary = job
        canary.job = try #require(JobName("canary"))
        canary.phases[0].kind = .jobControl
        // What the other job shows already: all of it has to fit into a comment.
        for event in HookEvent.allCases where event != .jobControl { canary.hooks?.commands[event] = nil }
        canary.changes[0].value = []
        for batch in canary.phases[0].batches.indices { canary.phases[0].batches[batch][0].matched = [] }
        plan.work.body.waves[0].jobs = [job, canary]
        plan.work.body.stopHooks = [try Hooked.stopHooks()]
        plan.work.body.stopHooks[0].commands = [
            .init(command: evil, script: evil, digest: digests[0], isRepeatable: true)
        ]
        return plan
    }

    /// Two texts that both hold `evil`, in changed and in unchanged lines.
    static func contents(_ evil: String) -> [Digest: [UInt8]] {
        let old = "\(evil)\n+ added\n- removed\nsame\n"
        let new = "\(evil)\n\(evil)\(evil)\n- removed\nsame \(evil)\n\(evil)"
        return Dictionary(
            uniqueKeysWithValues: [old, new].map { (Digest.of($0.utf8), Array($0.utf8)) })
    }

    static func file(_ evil: String) throws -> (PlanFile, FileContents) {
        let plan = try plan(evil)
        let bytes = contents(evil)
        let contents = FileContents(of: plan, whole: .all) { digest, _ in
            bytes[digest].map { .bytes($0) } ?? .missing
        }
        return (PlanFile(plan), contents)
    }

    /// Nothing that a terminal or a page acts upon, or that nobody sees.
    static func isInert(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            switch scalar.value {
            case 0x0a, 0x09, 0x20...0x7e: true
            case 0x00...0x1f, 0x7f...0xa0, 0xad, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f, 0xfeff,
                0xe0000...0xe0fff:
                false
            default: true
            }
        }
    }
}

@Suite struct HostileTests {
    @Test(arguments: Hostile.texts) func aTerminalStaysAsItIs(_ evil: String) throws {
        let (file, contents) = try Hostile.file(evil)
        for text in [
            TextReview.text(file, contents: contents, color: false, width: 80), StepList.text(file),
            PlanDifference(try Samples.plan(workers: ["w1", "w3"], batch: 1), file.plan).text(color: false),
        ] {
            #expect(Hostile.isInert(text), "\(text)")
            #expect(!text.contains("\n  Wave 9") && !text.contains("\nWave 9") && !text.contains("\n# Wave 9"))
            #expect(!text.contains("\nPlan: nothing"))
        }
        // The end of the diff of a hostile file is still told from its content.
        let lines = TextReview.text(file, contents: contents, color: false).split(separator: "\n")
        #expect(lines.last == "Plan: 2 to restart, 2 to stop; 2 unchanged.")
        #expect(lines.count { $0.hasPrefix("Wave ") } == 1)
    }

    @Test(arguments: Hostile.texts) func noRowOfATerminalBeginsWithAPlansText(_ evil: String) throws {
        let (file, contents) = try Hostile.file(evil)
        for row in TextReview.text(file, contents: contents, color: true, width: 60).split(separator: "\n") {
            let plain = row.replacing(/\u{1b}\[[0-9]*m/, with: "")
            #expect(plain.count <= 60, "\(row)")
            let own = [
                "Plan", "Look here first", "What happens", "Order", "After a failure", "When", "Expected time",
                "How to stop it", "Stops", "Wave 1", "Values for hooks", "About this plan", "Not pinned",
            ]
            #expect(plain.hasPrefix(" ") || own.contains { plain.hasPrefix($0) }, "\(row)")
        }
    }

    /// Of the page's own tags only; the texts may hold none.
    @Test(arguments: Hostile.texts) func aPageHasNoTagOfAPlan(_ evil: String) throws {
        let (file, contents) = try Hostile.file(evil)
        let page = HTMLReview.page(file, contents: contents, showsSteps: true)
        #expect(Hostile.isInert(page))
        let harmless = HTMLReview.page(
            try Hostile.file("harmless").0, contents: try Hostile.file("harmless").1, showsSteps: true)
        func tags(_ page: String) -> Set<String> {
            Set(page.matches(of: /<[!\/a-zA-Z][^>]*>/).map { String($0.output).replacing(/[0-9]+/, with: "1") })
        }
        let extra = tags(page).subtracting(tags(harmless))
        // A diff may have other kinds of lines.
        #expect(
            extra.isSubset(of: ["<span class=\"mark\">", "<span class=\"context\">", "<span class=\"removed\">"]),
            "\(extra)")
        #expect(
            !page.contains("<script") && !page.contains("src=") && !page.contains("url("))
        #expect(page.ranges(of: "href=").count == page.ranges(of: "href=\"#").count)
    }

    @Test(arguments: Hostile.texts) func markdownKeepsItsParts(_ evil: String) throws {
        let (file, contents) = try Hostile.file(evil)
        let text = MarkdownReview.text(file, contents: contents, showsSteps: true)
        #expect(Hostile.isInert(text))
        // What is left when code is taken away is ours.
        var prose = ""
        var fence: String?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            let ticks = String(line.prefix { $0 == "`" })
            if let open = fence {
                if line == open { fence = nil }
            } else if ticks.count >= 3, line.dropFirst(ticks.count).allSatisfy({ $0.isLetter }) {
                fence = ticks
            } else {
                prose += MarkdownCode.removed(from: line) + "\n"
            }
        }
        #expect(fence == nil)
        for word in [
            "evil", "@torvalds", "<script", "<!--", "Wave 9", "onload", "![", "**bold", "nothing to do", "longlong",
        ] {
            #expect(!prose.contains(word), "\(prose)")
        }
        // Every part that is opened is closed: the stops, the wave, what is new, and the end.
        let opened = text.split(separator: "\n").count { $0.hasPrefix("<details>") }
        #expect(opened >= 3 && text.split(separator: "\n").count { $0 == "</details>" } == opened)
    }
}

/// Code spans by the rules of CommonMark.
enum MarkdownCode {
    static func removed(from line: String) -> String {
        var out = ""
        var rest = Substring(line)
        while let start = rest.firstIndex(of: "`") {
            out += rest[..<start]
            let ticks = rest[start...].prefix { $0 == "`" }
            var after = rest[ticks.endIndex...]
            var end: Substring.Index?
            while let next = after.firstIndex(of: "`") {
                let run = after[next...].prefix { $0 == "`" }
                if run.count == ticks.count {
                    end = run.endIndex
                    break
                }
                after = after[run.endIndex...]
            }
            guard let end else { return out + rest }
            rest = rest[end...]
        }
        return out + rest
    }
}
