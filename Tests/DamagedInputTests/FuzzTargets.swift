import Model
import Plans
import YAML

@testable import Approvals
@testable import Planner
@testable import SSH
@testable import Templates

// A finding ends the process: so libFuzzer keeps the input, and the tests name the file that they have damaged.

/// The readers of what others write, each under the name of its folder in `Tests/fuzz/corpus`. A reader that accepts what
/// it should refuse, or refuses without a place, ends the process.
let fuzzTargets: [String: @Sendable ([UInt8]) -> Void] = [
    "answer": answer, "catalog": catalog, "json": json, "keys": keys, "known_hosts": knownHosts, "manifest": manifest,
    "plan": plan, "signers": signers, "template": template, "toml": toml, "window": window, "workers": workers,
]

private func plan(_ bytes: [UInt8]) {
    expectPlaces { () throws(InputFailure) in
        let file = try PlanFile.read(bytes, file: "f")
        precondition(file.bytes == bytes, "a plan in a second spelling is accepted")
    }
}

private func catalog(_ bytes: [UInt8]) {
    expectPlaces { () throws(InputFailure) in
        let export = try CatalogExport.read(bytes, file: "f")
        let again = try CatalogExport.read(export.bytes, file: "f")
        precondition(again == export, "a catalog is not what was written")
    }
}

private func manifest(_ bytes: [UInt8]) {
    document(bytes) { reader in
        guard let job = JobName("api") else { return }
        let manifest = ManifestReader(reader, job: job).manifest()
        _ = manifest.batching(active: 7)
        _ = DemandGraph([.init(name: job, manifest: manifest, reader: reader)]).resolved()
    }
}

private func workers(_ bytes: [UInt8]) {
    document(bytes) { _ = WorkersReader($0).workers() }
    document(bytes) { Disabled($0).warnAboutUnknown(jobs: ["api"], workers: ["w1"], in: $0) }
}

private func json(_ bytes: [UInt8]) {
    expectPlaces { () throws(InputFailure) in
        let node = try JSONDocument.parse(bytes, file: "f")
        let text = node.json
        let again = try JSONDocument.parse(Array(text.utf8), file: "f")
        precondition(again.json == text, "a value changes when it is written and read")
    }
}

private func toml(_ bytes: [UInt8]) {
    expectPlaces { () throws(InputFailure) in _ = try TOMLDocument.parse(bytes, file: "f") }
    expectPlaces { () throws(InputFailure) in _ = try BucketConfiguration.read(bytes, file: "f") }
    expectPlaces { () throws(InputFailure) in _ = try ApprovalPolicy.read(bytes, file: "f") }
}

private func document(_ bytes: [UInt8], _ decode: (Reader) -> Void) {
    expectPlaces { () throws(InputFailure) in
        let reader = Reader(
            root: try JSONDocument.parse(bytes, file: "f", limits: .standard), source: bytes, file: "f")
        decode(reader)
        try reader.check()
    }
}

private func expectPlaces(_ read: () throws(InputFailure) -> Void) {
    do throws(InputFailure) {
        try read()
    } catch {
        precondition(!error.diagnostics.isEmpty, "refused without a reason")
        for diagnostic in error.diagnostics { precondition(diagnostic.mark != nil, "no place: \(diagnostic)") }
        expectQuiet(error.description)
    }
}

/// Nothing of a stranger's text does anything on a terminal.
func expectQuiet(_ text: String) {
    precondition(text.utf8.allSatisfy { $0 == 0x0a || ($0 >= 0x20 && $0 != 0x7f) }, "an error controls the terminal")
}
