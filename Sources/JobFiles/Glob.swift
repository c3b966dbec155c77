/// A pattern of `restart_globs` and its like, matched against a path inside a job's folder as Maand matches it.
///
/// Within one component `*` stands for any characters, `?` for one, `[a-z]` and `[^a-z]` for one of a set, and `\` takes
/// the next character as it is; none of them stands for `/`. The recorded cases `glob-*` of Maand give these rules:
///
/// - a pattern without `/` is matched against the base name, at any depth;
/// - a pattern that ends in `/` matches everything below that folder;
/// - a component `**` splits the pattern. What stands before it has to match the beginning of the path, and what stands
///   after it is treated like a pattern of its own for the rest of the path: nothing matches everything, one component
///   is matched against the base name, several against the whole rest (so `**/x/y` matches only at the top);
/// - any other pattern is matched against the whole path.
package struct Glob: Sendable {
    package let text: String
    private let components: [Component]

    private enum Component: Equatable, Sendable {
        case deep
        case pattern([Token])
    }

    private enum Token: Equatable, Sendable {
        case any
        case one
        case scalar(Unicode.Scalar)
        case set(isNegated: Bool, [ClosedRange<Unicode.Scalar>])
    }

    /// Why a pattern cannot be used.
    package struct Problem: Error {
        package let message: String
    }

    package init(_ text: String) throws(Problem) {
        if text.isEmpty { throw Problem(message: "a glob may not be empty") }
        var parts = text.split(separator: "/", omittingEmptySubsequences: false)[...]
        if parts.first == "" {
            throw Problem(message: "a glob is relative to the job's folder: no `/` at its beginning")
        }
        if parts.count > 1, parts.last == "" {
            parts.removeLast()
            parts.append("**")
        }
        var components: [Component] = []
        for part in parts {
            if part.isEmpty || part == "." || part == ".." {
                throw Problem(message: "the glob \"\(text)\" has an empty component, `.` or `..`")
            }
            components.append(part == "**" ? .deep : .pattern(try Self.tokens(part, of: text)))
        }
        self.text = text
        self.components = components
    }

    /// - Parameter path: relative to the job's folder, as in a `TreeEntry`.
    package func matches(_ path: String) -> Bool {
        Self.matches(components[...], path.split(separator: "/")[...])
    }

    private static func matches(_ pattern: ArraySlice<Component>, _ path: ArraySlice<Substring>) -> Bool {
        guard let deep = pattern.firstIndex(of: .deep) else {
            if pattern.count == 1, let base = path.last { return matches(pattern[pattern.startIndex], base) }
            return pattern.count == path.count && zip(pattern, path).allSatisfy(matches)
        }
        let before = pattern[..<deep]
        let after = pattern[(deep + 1)...]
        guard path.count > before.count, zip(before, path).allSatisfy(matches) else { return false }
        return after.isEmpty || matches(after, path.dropFirst(before.count))
    }

    private static func matches(_ component: Component, _ name: Substring) -> Bool {
        switch component {
        case .deep: true
        case .pattern(let tokens): matches(tokens, Array(name.unicodeScalars))
        }
    }

    /// Remembers only the last `*`, which is enough for patterns of this kind and keeps the cost at length times length.
    private static func matches(_ tokens: [Token], _ name: [Unicode.Scalar]) -> Bool {
        var token = 0
        var at = 0
        var star: (token: Int, at: Int)?
        while at < name.count {
            if token < tokens.count, tokens[token] == .any {
                star = (token, at)
                token += 1
            } else if token < tokens.count, matches(tokens[token], name[at]) {
                token += 1
                at += 1
            } else if let last = star {
                star = (last.token, last.at + 1)
                token = last.token + 1
                at = last.at + 1
            } else {
                return false
            }
        }
        return tokens[token...].allSatisfy { $0 == .any }
    }

    private static func matches(_ token: Token, _ scalar: Unicode.Scalar) -> Bool {
        switch token {
        case .any, .one: true
        case .scalar(let expected): scalar == expected
        case .set(let isNegated, let ranges): ranges.contains { $0.contains(scalar) } != isNegated
        }
    }

    private static func tokens(_ part: Substring, of text: String) throws(Problem) -> [Token] {
        func problem(_ what: String) -> Problem { Problem(message: "the glob \"\(text)\" \(what)") }
        var tokens: [Token] = []
        var rest = part.unicodeScalars[...]
        func escaped() throws(Problem) -> Unicode.Scalar {
            if rest.first == "\\" { rest.removeFirst() }
            guard let scalar = rest.popFirst() else { throw problem("ends after a `\\`") }
            return scalar
        }
        /// One end of a range inside `[]`.
        func bound() throws(Problem) -> Unicode.Scalar {
            guard let first = rest.first else { throw problem("has a `[` without `]`") }
            if first == "]" || first == "-" { throw problem("has a range without an end inside `[]`") }
            return try escaped()
        }
        while let scalar = rest.first {
            switch scalar {
            case "*":
                rest.removeFirst()
                if tokens.last != .any { tokens.append(.any) }
            case "?":
                rest.removeFirst()
                tokens.append(.one)
            case "[":
                rest.removeFirst()
                let isNegated = rest.first == "^"
                if isNegated { rest.removeFirst() }
                var ranges: [ClosedRange<Unicode.Scalar>] = []
                while ranges.isEmpty || rest.first != "]" {
                    let low = try bound()
                    var high = low
                    if rest.first == "-" {
                        rest.removeFirst()
                        high = try bound()
                    }
                    guard low <= high else { throw problem("has a range that runs backwards") }
                    ranges.append(low...high)
                }
                rest.removeFirst()
                tokens.append(.set(isNegated: isNegated, ranges))
            default:
                tokens.append(.scalar(try escaped()))
            }
        }
        return tokens
    }
}
