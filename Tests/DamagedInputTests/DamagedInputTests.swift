import Foundation
import Testing

/// Every reader gets the files of its corpus, whole and damaged. The damage is the same in each run, so that a finding
/// can be found again. `make fuzz` looks further, with libFuzzer.
@Suite struct DamagedInputTests {
    static let corpus = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "fuzz/corpus")

    static let files: [String] = {
        let folders = (try? FileManager.default.contentsOfDirectory(atPath: corpus.path)) ?? []
        return folders.sorted().flatMap { folder in
            let names =
                (try? FileManager.default.contentsOfDirectory(atPath: corpus.appending(path: folder).path)) ?? []
            return names.sorted().map { "\(folder)/\($0)" }
        }
    }()

    @Test func everyReaderHasACorpus() {
        #expect(Set(Self.files.map { String($0.prefix { $0 != "/" }) }) == Set(fuzzTargets.keys))
    }

    @Test(arguments: files) func aDamagedFileIsReadOrRefusedWithItsPlace(_ file: String) throws {
        let read = try #require(fuzzTargets[String(file.prefix { $0 != "/" })])
        let bytes = Array(try Data(contentsOf: Self.corpus.appending(path: file)))
        read(bytes)
        read([])
        var damage = Damage(seed: UInt64(bytes.count))
        for _ in 0..<500 { read(damage.damaged(bytes)) }
    }
}

/// Makes damaged copies of files, always the same ones for a seed.
private struct Damage {
    private var state: UInt64

    init(seed: UInt64) { state = seed &+ 0x9e37_79b9_7f4a_7c15 }

    /// One to four changes: bytes changed, left out, doubled, put elsewhere, or put in from a list of signs that grammars
    /// care about.
    mutating func damaged(_ bytes: [UInt8]) -> [UInt8] {
        var result = bytes
        for _ in 0...below(4) {
            let from = below(result.count + 1)
            let range = from..<min(result.count, from + 1 + below(16))
            switch below(6) {
            case 0 where from < result.count: result[from] = UInt8(below(256))
            case 1 where from < result.count: result[from] ^= 1 << below(8)
            case 2: result.removeSubrange(range)
            case 3: result.insert(contentsOf: result[range], at: from)
            case 4: result.removeSubrange(from...)
            default: result.insert(contentsOf: Self.signs[below(Self.signs.count)], at: from)
            }
        }
        return result
    }

    private static let signs: [[UInt8]] =
        [
            "\"", "'", "\\", "{", "}", "[", "]", "{{", "}}", ":", ": ", ",", "\n", "\r\n", "\t", "#", "-", "- ", "&a",
            "*a", "!",
            "%", "\u{0}", "\u{feff}", "\u{202e}", "\u{1b}[2J", "null", "true", "~", "0x", "1e999", "-1",
            "9223372036854775808",
            "../", "/", "é",
        ].map { Array($0.utf8) } + [[0xff], [0xc3], [0xed, 0xa0, 0x80]]

    /// xorshift64.
    private mutating func below(_ limit: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return limit > 0 ? Int(state % UInt64(limit)) : 0
    }
}
