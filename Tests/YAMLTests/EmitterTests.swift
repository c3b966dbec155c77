import Foundation
import Testing
import YAML

@Suite struct EmitterTests {
    private func emitted(_ body: (inout Emitter) -> Void) -> String {
        var emitter = Emitter()
        body(&emitter)
        return String(decoding: emitter.finish(), as: UTF8.self)
    }

    @Test func writesBlockAndFlowStyle() {
        let text = emitted { plan in
            plan.field("plan_format", 1)
            plan.field("kind", "deploy")
            plan.mapping("base", .flow) { $0.field("catalog_revision", 42) }
            plan.field("window", nil)
            plan.mapping("empty") { _ in }
            plan.sequence("none") { _ in }
            plan.sequence("waves") { waves in
                waves.mappingItem { wave in
                    wave.field("deployment_seq", 0)
                    wave.sequence("active", .flow) { active in
                        active.item("10.0.0.1")
                        active.item("b")
                    }
                    wave.sequence("batches") { batches in
                        batches.sequenceItem(.flow) { batch in
                            batch.mappingItem { entry in
                                entry.field("worker", "10.0.0.1")
                                entry.mapping("matched") { $0.sequence("conf/*.yml") { $0.item("conf/a.yml") } }
                                entry.mapping("nothing") { _ in }
                            }
                            batch.mappingItem { $0.field("force", false) }
                        }
                        batches.sequenceItem { $0.item(true) }
                        batches.sequenceItem { _ in }
                    }
                }
                waves.mappingItem { _ in }
                waves.item("end")
            }
        }
        #expect(
            text == """
                plan_format: 1
                kind: deploy
                base: {catalog_revision: 42}
                window: null
                empty: {}
                none: []
                waves:
                  - deployment_seq: 0
                    active: ["10.0.0.1", b]
                    batches:
                      - [{worker: "10.0.0.1", matched: {"conf/*.yml": [conf/a.yml]}, nothing: {}}, {force: false}]
                      - - true
                      - []
                  - {}
                  - end

                """)
        #expect(emitted { _ in } == "{}\n")
    }

    @Test(arguments: [
        ("api", "api"), ("_a-b./C9", "_a-b./C9"), ("sha256:09af", "sha256:09af"), ("conf/a.yml", "conf/a.yml"),
        ("", "\"\""), ("1.0", "\"1.0\""), ("v1.0", "v1.0"), ("10.0.0.1", "\"10.0.0.1\""), ("a b", "\"a b\""),
        ("sha256:", "\"sha256:\""), ("sha256:0G", "\"sha256:0G\""), ("SHA256:abc", "\"SHA256:abc\""),
        ("a:b", "\"a:b\""),
        ("yes", "\"yes\""), ("No", "\"No\""), ("NULL", "\"NULL\""), ("y", "\"y\""), ("nan", "\"nan\""),
        ("nano", "nano"), ("none", "none"), ("-a", "\"-a\""), ("~", "\"~\""), ("é", "\"é\""), ("日本 🙂", "\"日本 🙂\""),
        ("a\"b\\c", #""a\"b\\c""#), ("\n\t\r\0", #""\n\t\x0d\x00""#), ("\u{1B}\u{7F}\u{9B}", #""\x1b\x7f\x9b""#),
        ("\u{202E}x\u{2028}\u{FEFF}", #""\u202ex\u2028\ufeff""#), ("\u{E0041}\u{1FFFF}", #""\U000e0041\U0001ffff""#),
        ("e\u{301}", "\"e\u{301}\""), ("\u{A0}\u{AD}", #""\xa0\xad""#),
    ])
    func spellsATextInOneWay(_ text: String, _ spelling: String) {
        let line = emitted { $0.field("k", .string(text)) }
        #expect(line.unicodeScalars.elementsEqual("k: \(spelling)\n".unicodeScalars), "\(line)")
        let key = emitted { $0.field(text, 0) }
        #expect(key.unicodeScalars.elementsEqual("\(spelling): 0\n".unicodeScalars), "\(key)")
    }

    @Test func longKeysAreAnnounced() throws {
        let key = String(repeating: "k", count: 1200)
        let text = emitted { root in
            root.mapping(key) { $0.sequence(key) { $0.mappingItem { $0.field(key, 1) } } }
            root.mapping("flow", .flow) { $0.field(key, 2) }
        }
        #expect(text.hasPrefix("? \(key)\n:\n  ? \(key)\n  :\n    - ? \(key)\n      : 1\nflow: {? \(key): 2}"))
        let root = try parseYAML(text)
        #expect(root[.key(key), .key(key), 0, .key(key)]?.text == "1")
        #expect(root["flow", .key(key)]?.text == "2")
    }

    @Test func whatIsWrittenIsReadBack() throws {
        for seed in UInt64(0)..<3000 {
            var generator = SeededGenerator(seed: seed)
            let fields = RandomTree.root(&generator)
            let bytes = RandomTree.bytes(fields)
            let node = try YAMLDocument.parse(bytes, file: "seed-\(seed)")
            #expect(RandomTree.fields(fields, .block).isHeld(by: node), "seed \(seed)")
        }
    }

    @Test func everyNastyTextSurvivesEverywhere() throws {
        let texts = RandomTree.nasty.enumerated().map { (key: "\($0.offset)\($0.element)", text: $0.element) }
        for style in [Emitter.Style.block, .flow] {
            let fields = texts.map { (key: $0.key, value: RandomTree.scalar(.string($0.text))) }
            let tree = [(key: "a", value: RandomTree.fields(fields, style)), ("b", .list(fields.map(\.value), style))]
            let node = try YAMLDocument.parse(RandomTree.bytes(tree), file: "nasty")
            #expect(RandomTree.fields(tree, .block).isHeld(by: node))
        }
    }

    @Test(.enabled(if: Python.hasYAML)) func otherReadersReadTheSame() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "yaml-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for seed in UInt64(0)..<300 {
            var generator = SeededGenerator(seed: seed)
            let fields = RandomTree.root(&generator)
            try Data(RandomTree.bytes(fields)).write(to: folder.appending(path: "\(seed).yaml"))
            try Data(RandomTree.fields(fields, .block).json.utf8).write(to: folder.appending(path: "\(seed).json"))
        }
        let result = try Python.run(Python.comparison, folder.path)
        #expect(result == "same 300\n")
    }
}

/// Python's YAML library, as a second opinion.
enum Python {
    static let hasYAML = (try? run("import yaml; print('yes')")) == "yes\n"

    static let comparison = """
        import glob, json, sys, yaml
        def strict(value):
            if isinstance(value, dict):
                assert all(type(key) is str for key in value), value
                for inner in value.values(): strict(inner)
            elif isinstance(value, list):
                for inner in value: strict(inner)
        loaders = [yaml.SafeLoader] + ([yaml.CSafeLoader] if hasattr(yaml, 'CSafeLoader') else [])
        files = glob.glob(sys.argv[1] + '/*.yaml')
        for name in files:
            expected = json.load(open(name[:-4] + 'json'))
            for loader in loaders:
                value = yaml.load(open(name, 'rb').read(), loader)
                strict(value)
                if json.dumps(value) != json.dumps(expected): print(name, loader, 'differs')
        print('same', len(files))
        """

    static func run(_ script: String, _ arguments: String...) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }
}
