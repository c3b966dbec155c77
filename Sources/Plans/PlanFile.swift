public import Model
public import YAML

/// A plan together with the bytes that stand for it.
///
/// A file is accepted only if it equals, byte for byte, what the emitter writes for what was read from it. So there are
/// no comments, no second spelling and nothing hidden, and the bytes that were reviewed are the bytes that run.
public struct PlanFile: Sendable {
    /// What the bytes say.
    public let plan: Plan
    /// The canonical text, UTF-8.
    public let bytes: [UInt8]
    /// SHA-256 of `bytes`: the plan's id.
    public let id: Digest

    /// Largest plan file that is read or written, in bytes.
    public static let maximumSize = 64 << 20

    /// Writes `plan` in its one canonical form.
    public init(_ plan: Plan) {
        self.plan = plan
        bytes = RecordFile.write(plan)
        id = Digest.of(bytes)
    }

    /// Reads a plan.
    ///
    /// - Parameter file: The name that errors show.
    /// - Throws: `InputFailure` with every error found, each with file, line and column.
    public static func read(_ bytes: [UInt8], file: String) throws(InputFailure) -> PlanFile {
        let plan = try RecordFile.read(
            Plan.self, bytes, file: file,
            .init(
                field: "plan_format", number: Plan.format, noun: "plan", what: "a plan",
                remedy: "apply it with the release that wrote it, or plan again"))
        let result = PlanFile(plan)
        try CanonicalForm.require(bytes, equals: result.bytes, file: file)
        return result
    }
}

extension InputLimits {
    /// For plan files: 100,000 allocations take about 25 MB.
    static let plan = InputLimits(
        bytes: PlanFile.maximumSize, depth: standard.depth, nodes: 8_000_000, scalarBytes: standard.scalarBytes)
}
