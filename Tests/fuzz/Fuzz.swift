import Glibc

/// `MAAND_FUZZ_TARGET` names the reader that gets the bytes.
private let target: @Sendable ([UInt8]) -> Void = {
    let name = getenv("MAAND_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = fuzzTargets[name] else {
        fatalError("MAAND_FUZZ_TARGET is one of \(fuzzTargets.keys.sorted().joined(separator: ", "))")
    }
    return target
}()

/// What libFuzzer calls.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    target(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

/// libFuzzer, with its own options. It has a `main` of its own, and the package's build wants one, too.
@main
struct Fuzz {
    static func main() {
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        exit(runDriver(&count, &arguments) { fuzz($0, $1) })
    }
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: inout CInt, _ arguments: inout UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>,
    _ run: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt
