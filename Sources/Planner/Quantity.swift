internal import Plans
internal import YAML

/// An amount of memory or CPU, exact to a thousandth of its smallest unit.
struct Quantity: Comparable, Sendable {
    /// Thousandths of a megabyte or megahertz.
    private(set) var thousandths: Int

    static let zero = Quantity(thousandths: 0)

    /// What the units are called and how much they are.
    enum Unit: Sendable {
        /// mb, gb, tb: powers of 1024.
        case memory
        /// mhz, ghz, thz: powers of 1000.
        case cpu

        var names: [String] {
            switch self {
            case .memory: ["mb", "gb", "tb"]
            case .cpu: ["mhz", "ghz", "thz"]
            }
        }

        var factor: Int {
            switch self {
            case .memory: 1024
            case .cpu: 1000
            }
        }

        var field: String {
            switch self {
            case .memory: "memory"
            case .cpu: "cpu"
            }
        }
    }

    private init(thousandths: Int) { self.thousandths = thousandths }

    /// Reads `512`, `1.5 gb` or `2000MHz`; at most 1,000,000 of the largest unit and three decimals.
    init?(_ text: String, _ unit: Unit) {
        let lower = text.lowercased()
        let number = lower.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let name = lower[number.endIndex...].drop { $0 == " " }
        guard let exponent = name.isEmpty ? 0 : unit.names.firstIndex(of: String(name)) else { return nil }
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), !parts[0].isEmpty, let whole = Int(parts[0]), whole <= 1_000_000_000 else {
            return nil
        }
        var value = whole * 1000
        if parts.count == 2 {
            guard (1...3).contains(parts[1].count), let fraction = Int(parts[1]) else { return nil }
            value += fraction * [100, 10, 1][parts[1].count - 1]
        }
        for _ in 0..<exponent {
            let (product, overflow) = value.multipliedReportingOverflow(by: unit.factor)
            guard !overflow else { return nil }
            value = product
        }
        // Sums over every job of a bucket stay far from the limits of Int.
        guard value <= 1 << 53 else { return nil }
        thousandths = value
    }

    /// In the smallest unit, such as `2048 mb`.
    func text(_ unit: Unit) -> String { "\(number) \(unit.names[0])" }

    /// In the smallest unit, which is left out: `2048`.
    var number: String {
        let fraction = thousandths % 1000
        let decimals = fraction == 0 ? "" : "." + String(String(fraction + 1000).dropFirst())
        return "\(thousandths / 1000)\(decimals)"
    }

    static func < (a: Self, b: Self) -> Bool { a.thousandths < b.thousandths }

    static func += (a: inout Self, b: Self) { a.thousandths += b.thousandths }
}

extension InputType<Quantity> {
    /// An amount of memory or CPU: a text with a unit, or a number in the smallest unit.
    static func quantity(_ unit: Quantity.Unit, _ reader: Reader) -> Self {
        InputType(unit.description) { node in
            if let text = node.text, node.kind == .number || node.kind == .text, let quantity = Quantity(text, unit) {
                return quantity
            }
            reader.error(
                node, "\(unit.field) is a number with one of the units \(unit.names.joined(separator: ", "))")
            return nil
        }
    }
}

extension Quantity.Unit {
    fileprivate var description: ValueDescription {
        // A schema cannot say that the case of letters does not count.
        let units = names.map { name in name.map { "[\($0)\($0.uppercased())]" }.joined() }.joined(separator: "|")
        return .either([
            .text(
                "a number with `\(names.joined(separator: "`, `"))`",
                pattern: "^[0-9]{1,10}(\\.[0-9]{1,3})? *(\(units))?$"),
            ValueDescription("a number of \(names[0])", [("type", .string("number")), ("minimum", .int(0))]),
        ])
    }
}
