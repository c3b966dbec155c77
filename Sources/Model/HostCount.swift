/// A number of hosts, as users give it: so many, or a share of all.
public enum HostCount: Hashable, Sendable {
    case hosts(Int)
    /// 0...100.
    case percent(Int)

    /// What a number of hosts may be.
    public static let range = 0...1_000_000

    /// Reads `3` or `2%`; nil where the text is neither.
    public init?(_ text: String) {
        let isShare = text.hasSuffix("%")
        let digits = isShare ? text.dropLast() : text[...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(digits) else {
            return nil
        }
        if isShare {
            guard number <= 100 else { return nil }
            self = .percent(number)
        } else {
            guard Self.range.contains(number) else { return nil }
            self = .hosts(number)
        }
    }

    /// As it is read.
    public var text: String {
        switch self {
        case .hosts(let count): String(count)
        case .percent(let share): "\(share)%"
        }
    }

    /// How many of `count` hosts it is, rounded down.
    public func resolved(of count: Int) -> Int {
        switch self {
        case .hosts(let hosts): hosts
        case .percent(let share): count * share / 100
        }
    }
}
