/// A value that the emitter writes on one line.
public enum Scalar: Sendable, Hashable {
    case string(String)
    case int(Int)
    case bool(Bool)
    case null

    /// `null` where there is no text.
    public static func optional(_ text: String?) -> Scalar { text.map(Scalar.string) ?? .null }

    /// `null` where there is no number.
    public static func optional(_ number: Int?) -> Scalar { number.map(Scalar.int) ?? .null }
}

extension Scalar: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByNilLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .int(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(nilLiteral: ()) { self = .null }
}
