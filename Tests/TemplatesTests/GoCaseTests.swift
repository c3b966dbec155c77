import Foundation
import Model
import Testing
import YAML

@testable import Templates

/// `Go/cases.json`: what Go's text/template makes of templates, as `Go/record.go` has recorded it.
struct GoCase: Decodable {
    let template: String?
    let bytes: Data?
    let text: String?
    let textBytes: Data?
    let refused: String?

    enum CodingKeys: String, CodingKey {
        case template, text, refused
        case bytes = "template_bytes"
        case textBytes = "text_bytes"
    }

    var source: [UInt8] { bytes.map(Array.init) ?? Array((template ?? "").utf8) }

    /// Nil where Go refuses the template.
    var expected: [UInt8]? { refused == nil ? textBytes.map(Array.init) ?? Array((text ?? "").utf8) : nil }

    /// Another table.
    private static let other = ProcessInfo.processInfo.environment["MAAND_GO_CASES"]

    static var isOwnTable: Bool { other == nil }

    /// The table, or another one that `MAAND_GO_CASES` names.
    static func all() throws -> [GoCase] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let file = other.map { URL(fileURLWithPath: $0) } ?? folder.appendingPathComponent("Go/cases.json")
        return try JSONDecoder().decode([GoCase].self, from: Data(contentsOf: file))
    }
}

/// The same values and data as in `record.go`.
struct GoValues: TemplateValues {
    static let secret = "Se-cret \"1\""

    let all: [String: [String: TemplateValue]] = [
        "vars/job/api": [
            "blank": .text(" 7 "), "bytes": .bytes([0x61, 0xff, 0x62]), "empty": .text(""), "list": .text("a,b,c"),
            "memory": .text("2048"), "name": .text("x y"), "quote": .text(#"a"b'c<d>&e=f\g"#), "umlaut": .text("äöü"),
        ],
        "maand/bucket": ["port": .text("80")], "maand/job/api": ["workers": .text("10.0.0.1,10.0.0.2")],
        "maand/job/db": ["workers": .text("10.0.0.3")],
        "maand/job/api/worker/10.0.0.1": ["api_allocation_index": .text("0")],
        "maand/worker/10.0.0.1": ["position": .text("0")], "vars/bucket": [:],
    ]

    static let data: TemplateValue = {
        let worker: [String: TemplateValue] = [
            "WorkerIP": .text("10.0.0.1"), "WorkerID": .text("w-1"), "Labels": .texts(["edge", "worker"]),
            "BucketID": .text("b-1"), "UpdateSeq": .refused(TemplateRefusal("no number of deploys")),
        ]
        return .fields(
            [
                "AllocationID": .text("a-1"), "Job": .text("api"), "CurrentVersion": .text("1.1.0"),
                "NewVersion": .text("1.2.0"), "BucketPath": .text("/opt/worker/b-1"),
                "JobPath": .text("/opt/worker/b-1/jobs/api"), "WorkerData": .fields(worker),
            ].merging(worker) { $1 })
    }()

    var allocationNamespace: String { "maand/job/api/worker/10.0.0.1" }
    var workerNamespace: String { "maand/worker/10.0.0.1" }
    func namespace(ofJob job: String?) -> String { "maand/job/\(job ?? "api")" }

    func value(_ namespace: String, _ key: String) throws(TemplateRefusal) -> TemplateValue? {
        guard let values = all[namespace] else { throw TemplateRefusal("\(namespace) is not allowed") }
        return values[key]
    }

    func setter(of key: String, in namespace: String) -> String? { nil }
    func keys(_ namespace: String) throws(TemplateRefusal) -> [String] {
        guard let values = all[namespace] else { throw TemplateRefusal("\(namespace) is not allowed") }
        return values.keys.sorted()
    }

    func secret(_ key: String) throws(TemplateRefusal) -> SecretReference {
        guard key != "none" else { throw TemplateRefusal("no secret") }
        return try SecretReference.test(key)
    }

    /// - Throws: `TemplateProblem`, or what a sealed file throws.
    static func render(_ source: [UInt8]) throws -> [UInt8] {
        switch try Template(source).render(data, values: GoValues()) {
        case .plain(let bytes): return bytes
        case .sealed(let file):
            #expect(SealedFile(bytes: file.bytes) == file)
            return try file.render { _ in secret }
        }
    }
}

@Suite struct GoCaseTests {
    /// What we refuse although Go renders it: a part of the message, and why.
    static let refusals: [(message: String, reason: String)] = [
        ("is not a whole number", "fractions and complex numbers: nothing makes them but constants"),
        ("as `%", "Go writes `%!d(string=a)` into the text"),
        ("verbs in its format than arguments", "Go writes `%!d(MISSING)` or `%!(EXTRA …)` into the text"),
        ("has a `%` at the end", "Go writes `%!(NOVERB)` into the text"),
        ("in its format that chooses none", "Go writes `%!d(BADINDEX)` into the text"),
        ("has a width behind `[n]`", "Go writes `%!d(BADINDEX)` into the text"),
        ("takes a number for `*`", "Go writes `%!(BADWIDTH)` into the text"),
        ("has a precision below 0", "Go writes `%!(BADPREC)` into the text"),
        ("pads to at most", "no template exhausts memory"),
        ("cannot be printed", "Go prints all data of the template, which here has other fields"),
        ("cannot show the data", "the same"), ("no number of deploys", "there is no such number"),
        ("divides by zero, or the number is too large", "Go drops the overflow"),
        ("nothing has no field", "Go prints `<no value>`"), ("planning reads none", "no value of a secret is known"),
        ("knows only `%s` and `%v`", "the same"), ("was not declared", "Go finds it only where it is executed"),
        ("arguments, and gets", "Go counts only where it executes"), ("argument, and gets", "the same"),
        ("only a function can have arguments", "the same"), ("what comes after `|`", "the same"),
        ("`slice` asks for item", "Go's lists may have room for more items"),
        ("is that of the file itself", "a template cannot replace the file that it is in"),
        ("cannot compare", "Go's empty list may be nil or not"),
        ("`nil` can only be", "Go finds it only where it is executed"),
        ("the result of a function has no fields", "the same"),
        ("`range` counts up to", "no template stalls"), ("more than 100 deep", "no template exhausts memory"),
    ]

    @Test func theTableIsLong() throws { #expect(try GoCase.all().count >= 400) }

    @Test func rendersWhatGoRenders() throws {
        var used: Set<String> = []
        for test in try GoCase.all() {
            let name = String(decoding: test.source, as: UTF8.self)
            do {
                let bytes = try GoValues.render(test.source)
                if let expected = test.expected {
                    #expect(bytes == expected, "\(name) becomes \(Self.shown(bytes)), and not \(Self.shown(expected))")
                } else {
                    Issue.record("Go refuses \(name), and it becomes \(Self.shown(bytes))")
                }
            } catch let problem as TemplateProblem {
                #expect(problem.mark.line >= 1)
                if test.expected == nil { continue }
                let known = Self.refusals.first { problem.message.contains($0.message) }
                #expect(known != nil, "\(name) is refused: \(problem.message)")
                if let known { used.insert(known.message) }
            }
        }
        if GoCase.isOwnTable {
            #expect(Self.refusals.map(\.message).filter { !used.contains($0) } == [], "nothing is refused like that")
        }
    }

    private static func shown(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self).debugDescription }
}
