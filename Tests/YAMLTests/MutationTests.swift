import Testing
import YAML

/// Damaged files must never crash a reader, and every refusal must say where.
@Suite struct MutationTests {
    private static let yaml = """
        plan_format: 1
        base: {catalog_revision: 42}
        workers:
          - {worker: "10.0.0.1", port: 22, host_keys: ["SHA256:ab\\u202e"], zone: "é日本"}
        waves:
          - deployment_seq: 0
            jobs:
              - job: api
                text: |
                  two
                  lines
                batches:
                  - [{worker: "10.0.0.4", action: start, from: new}, {worker: 'x', matched: {"conf/*.yml": [a]}}]
        window: null

        """

    private static let json = """
        {
          "version": "1.0.0", "selectors": ["a", "b\\u00e9\\ud83d\\ude00"],\r
          "resources": {"memory": {"min": 1.5e3, "max": -0}, "ports": {}, "é": [true, false, null, []]},
          "health_check": {"wait": {"attempts": 30, "text": "a\\n\\"b\\\\ \\/"}}
        }
        """

    private static let pieces: [[UInt8]] =
        [
            "{", "}", "[", "]", ",", ":", ": ", "- ", "\"", "'", "\\", "\\u", "\\ud800", "\n", "\r", "\t", " ", "&a",
            "*a", "!",
            "|", ">", "?", "%", "#", "---", "...", "~", "null", "0", "-", "1e", "/*", "\u{FEFF}", "\u{2028}",
            "\u{202E}", "é",
        ].map { Array($0.utf8) } + [[0], [0xFF], [0xC3], [0xED, 0xA0, 0x80], [0x80]]

    private static func mutate(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let place = Int.random(in: 0...bytes.count, using: &generator)
            let other = Int.random(in: 0...bytes.count, using: &generator)
            let range = min(place, other)..<max(place, other)
            let near = place..<min(bytes.count, place + Int.random(in: 0...4, using: &generator))
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes.removeSubrange(near)
            case 1: bytes.insert(contentsOf: pieces.randomElement(using: &generator) ?? [], at: place)
            case 2: bytes.replaceSubrange(near, with: pieces.randomElement(using: &generator) ?? [])
            case 3: bytes.insert(contentsOf: bytes[range].prefix(200), at: place)
            case 4 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            default: bytes.removeSubrange(range.prefix(40))
            }
        }
        return bytes
    }

    @Test(arguments: [true, false]) func damageIsRefusedWithAPlace(isYAML: Bool) throws {
        var generator = SeededGenerator(seed: 2026)
        let sample = Array((isYAML ? Self.yaml : Self.json).utf8)
        var refused = 0
        for round in 0..<20_000 {
            let bytes = Self.mutate(sample, &generator)
            do throws(InputFailure) {
                let root =
                    isYAML ? try YAMLDocument.parse(bytes, file: "x") : try JSONDocument.parse(bytes, file: "x")
                Self.decode(Reader(root: root, source: bytes, file: "x"))
            } catch {
                refused += 1
                let lines = bytes.count { $0 == UInt8(ascii: "\n") } + 1
                for diagnostic in error.diagnostics {
                    let line = diagnostic.mark?.line ?? 0
                    if !(1...lines).contains(line) || diagnostic.excerpt == nil {
                        Issue.record("round \(round): \(diagnostic)")
                    }
                    #expect(!diagnostic.description.unicodeScalars.contains("\u{1B}"))
                }
            }
        }
        #expect(refused > 5_000)
        #expect(refused < 20_000)
    }

    /// Asks every node for everything, so that errors are made at every place.
    private static func decode(_ reader: Reader) {
        func visit(_ node: Node) {
            _ = reader.integer(node, in: 0...10)
            _ = reader.string(node)
            _ = reader.boolean(node)
            for element in reader.sequence(node) ?? [] { visit(element) }
            if var fields = reader.mapping(node) {
                _ = fields.required("port")
                fields.finish()
                for entry in fields.entries { visit(entry.value) }
            }
        }
        visit(reader.root)
    }
}
