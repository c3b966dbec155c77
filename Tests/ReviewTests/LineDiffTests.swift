import Testing

@testable import Review

@Suite struct LineDiffTests {
    /// A generator that gives the same numbers everywhere.
    private struct Numbers: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
    }

    /// What `patch` would make of the old lines; nil where a hunk does not fit.
    private func patched(_ old: [Substring], _ new: [Substring], _ diff: LineDiff) -> [Substring]? {
        var out: [Substring] = []
        var at = 0
        for hunk in diff.hunks {
            let start = hunk.oldCount == 0 ? hunk.oldStart : hunk.oldStart - 1
            guard start >= at, start <= old.count else { return nil }
            out += old[at..<start]
            at = start
            guard out.count == (hunk.newCount == 0 ? hunk.newStart : hunk.newStart - 1) else { return nil }
            for line in hunk.lines {
                switch line.kind {
                case .context:
                    guard old[at] == new[line.index] else { return nil }
                    out.append(new[line.index])
                    at += 1
                case .added: out.append(new[line.index])
                case .removed:
                    guard line.index == at else { return nil }
                    at += 1
                }
            }
        }
        return out + old[at...]
    }

    /// The least number of added and removed lines, by dynamic programming.
    private func distance(_ a: [Substring], _ b: [Substring]) -> Int {
        var row = Array(0...b.count)
        for i in a.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let above = row[j + 1]
                row[j + 1] = a[i] == b[j] ? diagonal : min(above, row[j]) + 1
                diagonal = above
            }
        }
        return row[b.count]
    }

    @Test func leadsFromOldToNewWithTheFewestLines() throws {
        var numbers = Numbers(state: 7)
        for _ in 0..<2000 {
            func text() -> [Substring] {
                (0..<Int.random(in: 0...24, using: &numbers)).map { _ in
                    Substring(String(Int.random(in: 0...4, using: &numbers)))
                }
            }
            let (old, new) = (text(), text())
            let diff = try #require(LineDiff(old, new))
            #expect(patched(old, new, diff) == new)
            #expect(diff.hunks.flatMap(\.lines).count { $0.kind != .context } == distance(old, new))
        }
    }

    @Test func distantChangesAreHunksOfTheirOwn() throws {
        let old = (1...40).map { Substring("line \($0)") }
        var new = old
        new[4] = "five"
        new.remove(at: 30)
        let diff = try #require(LineDiff(old, new))
        #expect(
            diff.hunks.map { [$0.oldStart, $0.oldCount, $0.newStart, $0.newCount] } == [[2, 7, 2, 7], [28, 7, 28, 6]])
        #expect(diff.hunks.allSatisfy { $0.lines.count { $0.kind == .context } == 6 })
    }

    @Test func theSameLinesHaveNoHunk() throws {
        #expect(try #require(LineDiff(["a", "b"], ["a", "b"])).hunks.isEmpty)
        #expect(try #require(LineDiff([], [])).hunks.isEmpty)
    }

    @Test func givesUpInTimeOnTextsThatHaveLittleInCommon() throws {
        let old = (0..<LineDiff.maximumLines).map { Substring("a\($0 % 7)") }
        let new = (0..<LineDiff.maximumLines).map { Substring("b\($0 % 5)") }
        #expect(LineDiff(old, new) == nil)
        #expect(LineDiff(old + ["x"], old) == nil)
        // Adding a whole file to nothing is no search.
        #expect(try #require(LineDiff([], new)).hunks[0].newCount == new.count)
    }
}
