internal import YAML

// `eq`, `ne`, `lt`, `le`, `gt` and `ge`, with Go's rules about types.

extension TemplateCall {
    func compared() throws(TemplateProblem) -> Bool {
        let first = arguments[0]
        switch function {
        case .ne: return try !isEqual(first, arguments[1])
        case .lt: return try isLess(first, arguments[1])
        case .le: return try !isLess(arguments[1], first)
        case .gt: return try isLess(arguments[1], first)
        case .ge: return try !isLess(first, arguments[1])
        case _:
            // Those behind the first equal one are not looked at.
            for other in arguments.dropFirst() where try isEqual(first, other) { return true }
            return false
        }
    }

    private func different(_ a: TemplateValue, _ b: TemplateValue) -> TemplateProblem {
        wrong("cannot compare \(a.typeName) and \(b.typeName)", note: "`int` makes a number of a text")
    }

    private func isEqual(_ a: TemplateValue, _ b: TemplateValue) throws(TemplateProblem) -> Bool {
        switch (a, b) {
        case (.bytes(let a), .bytes(let b)):
            try budget.read(min(a.count, b.count), mark)
            return a == b
        case (.number(let a), .number(let b)): return a == b
        case (.byte(let a), .byte(let b)): return a == b
        case (.number(let a), .byte(let b)), (.byte(let b), .number(let a)): return a == Int(b)
        case (.boolean(let a), .boolean(let b)): return a == b
        case (.none, .none): return true
        // Whether Go's empty list is `nil` depends on how it was made.
        case (.none, .list(let items)) where !items.isEmpty, (.list(let items), .none) where !items.isEmpty:
            return false
        case (.none, .list), (.list, .none): throw different(a, b)
        case (.none, _), (_, .none): return false
        case _: throw different(a, b)
        }
    }

    private func isLess(_ a: TemplateValue, _ b: TemplateValue) throws(TemplateProblem) -> Bool {
        switch (a, b) {
        case (.bytes(let a), .bytes(let b)):
            try budget.read(min(a.count, b.count), mark)
            return a.lexicographicallyPrecedes(b)
        case (.number(let a), .number(let b)): return a < b
        case (.byte(let a), .byte(let b)): return a < b
        case (.number(let a), .byte(let b)): return a < Int(b)
        case (.byte(let a), .number(let b)): return Int(a) < b
        case _: throw different(a, b)
        }
    }
}
