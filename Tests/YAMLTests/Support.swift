import Testing
import YAML

/// A small generator with a seed, so that a failing case can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

func parseYAML(_ text: String, limits: InputLimits = .standard) throws(InputFailure) -> Node {
    try YAMLDocument.parse(Array(text.utf8), file: "plan.yaml", limits: limits)
}

func parseJSON(_ text: String, limits: InputLimits = .standard) throws(InputFailure) -> Node {
    try JSONDocument.parse(Array(text.utf8), file: "manifest.json", limits: limits)
}

/// A reader over a YAML text.
func reader(_ text: String) throws(InputFailure) -> Reader {
    Reader(root: try parseYAML(text), source: Array(text.utf8), file: "plan.yaml")
}

/// The first diagnostic of what `body` refuses; records an issue where it refuses nothing.
func refusal(
    of body: @autoclosure () throws(InputFailure) -> Node, sourceLocation: SourceLocation = #_sourceLocation
) -> Diagnostic? {
    do throws(InputFailure) {
        let node = try body()
        Issue.record("accepted: \(node.value)", sourceLocation: sourceLocation)
        return nil
    } catch {
        return error.diagnostics.first
    }
}

extension Node {
    /// The value at a path of keys and list positions.
    subscript(_ path: PathStep...) -> Node? {
        path.reduce(Optional(self)) { node, step in
            switch (node?.value, step) {
            case (.mapping(let entries), .key(let name)): entries.first { $0.name == name }?.value
            case (.sequence(let elements), .index(let index)): elements[index]
            default: nil
            }
        }
    }

    enum PathStep: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
        case key(String), index(Int)

        init(stringLiteral value: String) { self = .key(value) }
        init(integerLiteral value: Int) { self = .index(value) }
    }
}
