import Model
import YAML

@testable import Planner

// What libFuzzer finds here ends the process, so that it keeps the input: that is what a fuzz target is for.

/// Gives the bytes to every reader of a file that a stranger may have written.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    expectPlaces { () throws(InputFailure) in
        let file = try PlanFile.read(bytes, file: "f")
        precondition(file.bytes == bytes, "a plan in a second spelling is accepted")
    }
    expectPlaces { () throws(InputFailure) in _ = try BucketConfiguration.read(bytes, file: "f") }
    json(bytes) { reader in
        guard let job = JobName("api") else { return }
        let manifest = ManifestReader(reader, job: job).manifest()
        _ = manifest.batching(active: 7)
        _ = DemandGraph([.init(name: job, manifest: manifest, reader: reader)]).resolved()
    }
    json(bytes) { _ = WorkersReader($0).workers() }
    json(bytes) { Disabled($0).warnAboutUnknown(jobs: ["api"], workers: ["w1"], in: $0) }
    return 0
}

private func json(_ bytes: [UInt8], _ decode: (Reader) -> Void) {
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
    }
}
