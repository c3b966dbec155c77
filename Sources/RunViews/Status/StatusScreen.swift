/// A list of `status` that may be cut: so many lines in all, and a function that shows the first of them.
public struct StatusPart {
    public let count: Int
    /// At most so many lines, and one more that counts the rest, if there is one.
    public let lines: (_ limit: Int) -> [String]

    /// - Parameter rest: what the others are, such as `more jobs`.
    public init(_ all: [String], rest: String) {
        count = all.count
        lines = { limit in
            guard all.count > limit else { return all }
            return all.prefix(limit) + ["  and \(all.count - limit) \(rest)"]
        }
    }
}

/// Gives each part of `status` its share of a screen.
public enum StatusScreen {
    /// Rows if nothing says how many there are.
    public static let usualRows = 40
    /// Rows that each part has at least, as far as it needs them.
    private static let least = 3

    /// The lines of all parts, in at most so many rows, but for the few that each part has at least.
    ///
    /// - Parameter rows: nil for no limit.
    public static func fit(_ parts: [StatusPart], rows: Int?) -> [String] {
        guard let rows, parts.reduce(0, { $0 + $1.count }) > rows else { return parts.flatMap { $0.lines(.max) } }
        var shares = parts.map { min($0.count, least) }
        var free = rows - shares.reduce(0, +)
        while free > 0 {
            for index in parts.indices where free > 0 && shares[index] < parts[index].count {
                shares[index] += 1
                free -= 1
            }
        }
        // A part that is cut needs a row for what it leaves out.
        return zip(parts, shares).flatMap { part, share in part.lines(share == part.count ? share : share - 1) }
    }

    /// Rows that a text takes up.
    public static func rows(of text: String, columns: Int) -> Int { max(1, (text.count + columns - 1) / columns) }

    /// The text in one row.
    public static func cut(_ text: String, columns: Int) -> String {
        text.count > columns ? text.prefix(columns - 1) + "…" : text
    }
}
