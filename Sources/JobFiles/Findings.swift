public import YAML

/// Collects what is wrong with a workspace, over all of its files, so that one run reports everything.
public struct Findings {
    public private(set) var errors: [Diagnostic] = []
    public private(set) var warnings: [Diagnostic] = []
    private var omitted = 0

    public init() {}

    /// Errors and warnings that are kept each; further ones are only counted.
    public static let limit = 100

    public mutating func error(_ file: String, _ message: String, note: String? = nil) {
        add(Diagnostic(file: file, message: message, note: note))
    }

    public mutating func warn(_ file: String, _ message: String, note: String? = nil) {
        if warnings.count < Self.limit {
            warnings.append(Diagnostic(.warning, file: file, message: message, note: note))
        }
    }

    public mutating func add(_ failure: InputFailure) {
        for diagnostic in failure.diagnostics { add(diagnostic) }
        omitted += failure.omitted
    }

    public mutating func add(_ found: [Diagnostic]) { warnings += found.prefix(Self.limit - warnings.count) }

    /// Takes over everything that `reader` has recorded.
    public mutating func add(_ reader: Reader) {
        add(reader.warnings)
        do throws(InputFailure) { try reader.check() } catch { add(error) }
    }

    /// - Throws: `InputFailure` with all errors; nothing where there are none.
    public func check() throws(InputFailure) {
        if let first = errors.first { throw InputFailure(first, Array(errors.dropFirst()), omitted: omitted) }
    }

    private mutating func add(_ diagnostic: Diagnostic) {
        if errors.count < Self.limit { errors.append(diagnostic) } else { omitted += 1 }
    }
}
