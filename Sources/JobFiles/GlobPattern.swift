/// A pattern as Go's `path.Match` reads it: `*` stands for any characters but `/`, `?` for one that is not `/`, `[a-z]` and
/// `[^a-z]` for one of a set, also for `/`, and `\` takes the next character as it is.
struct GlobPattern: Sendable {
    private let tokens: [Token]

    private enum Token: Equatable, Sendable {
        case any
        case one
        case scalar(Unicode.Scalar)
        case set(isNegated: Bool, [Bounds])
    }

    /// A range of a set; one that runs backwards matches nothing.
    private struct Bounds: Equatable {
        var low: Unicode.Scalar
        var high: Unicode.Scalar
    }

    private init(_ tokens: [Token]) { self.tokens = tokens }

    /// - Throws: `Glob.Problem` if Go does not accept it.
    init(_ text: String) throws(Glob.Problem) {
        func problem(_ what: String) -> Glob.Problem { Glob.Problem(message: "the glob \"\(text)\" \(what)") }
        var tokens: [Token] = []
        var rest = text.unicodeScalars[...]
        func escaped() throws(Glob.Problem) -> Unicode.Scalar {
            if rest.first == "\\" { rest.removeFirst() }
            guard let scalar = rest.popFirst() else { throw problem("ends after a `\\`") }
            return scalar
        }
        /// One end of a range inside `[]`.
        func bound() throws(Glob.Problem) -> Unicode.Scalar {
            guard let first = rest.first else { throw problem("has a `[` without `]`") }
            if first == "]" || first == "-" { throw problem("has a range without an end inside `[]`") }
            return try escaped()
        }
        while let scalar = rest.first {
            switch scalar {
            case "*":
                rest.removeFirst()
                tokens.append(.any)
            case "?":
                rest.removeFirst()
                tokens.append(.one)
            case "[":
                rest.removeFirst()
                let isNegated = rest.first == "^"
                if isNegated { rest.removeFirst() }
                var ranges: [Bounds] = []
                while ranges.isEmpty || rest.first != "]" {
                    let low = try bound()
                    var high = low
                    if rest.first == "-" {
                        rest.removeFirst()
                        high = try bound()
                    }
                    ranges.append(Bounds(low: low, high: high))
                }
                rest.removeFirst()
                tokens.append(.set(isNegated: isNegated, ranges))
            case _: tokens.append(.scalar(try escaped()))
            }
        }
        self.tokens = tokens
    }

    /// What stands between its `/`.
    var components: [GlobPattern] {
        tokens.split(separator: .scalar("/"), omittingEmptySubsequences: false).map { GlobPattern(Array($0)) }
    }

    /// `**` alone.
    var isDeep: Bool { tokens == [.any, .any] }

    /// Remembers only the last `*`, as Go does, which keeps the cost at length times length.
    func matches(_ name: ArraySlice<Unicode.Scalar>) -> Bool {
        var (token, at) = (0, name.startIndex)
        var star: (token: Int, at: Int)?
        while at < name.endIndex {
            if token < tokens.count, tokens[token] == .any {
                star = (token, at)
                token += 1
            } else if token < tokens.count, Self.matches(tokens[token], name[at]) {
                token += 1
                at += 1
            } else if let last = star, name[last.at] != "/" {
                star = (last.token, last.at + 1)
                (token, at) = (last.token + 1, last.at + 1)
            } else {
                return false
            }
        }
        return tokens[token...].allSatisfy { $0 == .any }
    }

    private static func matches(_ token: Token, _ scalar: Unicode.Scalar) -> Bool {
        switch token {
        case .any: false
        case .one: scalar != "/"
        case .scalar(let expected): scalar == expected
        case .set(let isNegated, let ranges):
            ranges.contains { $0.low <= scalar && scalar <= $0.high } != isNegated
        }
    }
}
