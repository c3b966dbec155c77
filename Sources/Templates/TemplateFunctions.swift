internal import Model
internal import YAML

/// The functions that templates call: those of Maand, and those of Go's text/template that they build on.
struct TemplateFunctions {
    let values: any TemplateValues
    let budget: TemplateBudget

    private static let names = [
        "add", "and", "div", "eq", "ge", "get", "getOptional", "getSecret", "gt", "index", "int", "join", "keys", "le",
        "len", "lower", "lt", "max", "min", "mul", "ne", "not", "or", "print", "printf", "println", "split", "sub",
        "trim", "upper",
    ]

    func call(_ name: String, _ arguments: [TemplateValue], _ mark: Mark) throws(TemplateProblem) -> TemplateValue {
        let call = TemplateCall(name: name, arguments: arguments, mark: mark, budget: budget)
        if arguments.contains(where: \.isSecret), name != "not", Self.names.contains(name) {
            return try call.withSecrets()
        }
        switch name {
        case "get", "getOptional", "getSecret", "keys": return try stored(call)
        case "split":
            let (text, separator) = (try call.text(0, of: 2), try call.text(1, of: 2))
            return .list(try split(text, separator, mark))
        case "join": return .text(try call.joined(try call.list(0, of: 2), separator: try call.text(1, of: 2)))
        case "trim": return .text(try call.textToChange().trimmingWhitespace)
        case "upper": return .text(try call.textToChange().uppercased())
        case "lower": return .text(try call.textToChange().lowercased())
        case "add": return try call.arithmetic { $0.addingReportingOverflow($1) }
        case "sub": return try call.arithmetic { $0.subtractingReportingOverflow($1) }
        case "mul": return try call.arithmetic { $0.multipliedReportingOverflow(by: $1) }
        case "div": return try call.arithmetic { $0.dividedReportingOverflow(by: $1) }
        case "min": return try call.arithmetic { (Swift.min($0, $1), false) }
        case "max": return try call.arithmetic { (Swift.max($0, $1), false) }
        case "int": return .number(try call.integer())
        case "len": return .number(try call.length())
        case "index": return try call.element()
        case "not": return .boolean(!(try call.argument(0, of: 1).truth(mark)))
        case "eq": return .boolean(try call.isEqualToAny())
        case "ne", "lt", "le", "gt", "ge": return .boolean(try compared(call))
        case "print": return .text(try call.joined(arguments, separator: ""))
        case "println": return .text(try call.joined(arguments, separator: " ") + "\n")
        case "printf": return .text(try call.formatted())
        case _:
            let nearest = Suggestion.nearest(to: name, among: Self.names)
            throw TemplateProblem(
                mark, "there is no function `\(name)`",
                note: nearest.map { "did you mean `\($0)`?" } ?? "there are " + Self.names.joined(separator: ", "))
        }
    }

    private func compared(_ call: TemplateCall) throws(TemplateProblem) -> Bool {
        switch call.name {
        case "ne": try call.compare({ $0 != $1 }, numbers: { $0 != $1 })
        case "lt": try call.compare({ $0 < $1 }, numbers: { $0 < $1 })
        case "le": try call.compare({ $0 <= $1 }, numbers: { $0 <= $1 })
        case "gt": try call.compare({ $0 > $1 }, numbers: { $0 > $1 })
        case _: try call.compare({ $0 >= $1 }, numbers: { $0 >= $1 })
        }
    }

    private func stored(_ call: TemplateCall) throws(TemplateProblem) -> TemplateValue {
        let keys: [String]
        do throws(TemplateRefusal) {
            switch call.name {
            case "keys": keys = try values.keys(try call.refusing(0, of: 1))
            case "getSecret": return .secret(.secret(try values.secret(try call.refusing(0, of: 1))))
            case _:
                let (namespace, key) = (try call.refusing(0, of: 2), try call.refusing(1, of: 2))
                if let value = try values.value(namespace, key) { return value }
                if call.name == "getOptional" { return .text("") }
                throw TemplateRefusal(
                    "there is no key \(key) in \(namespace)", note: "`getOptional` is empty where there is none")
            }
        } catch {
            throw TemplateProblem(call.mark, error.message, note: error.note)
        }
        // The texts themselves are shared with the store.
        try budget.build(0, items: keys.count, call.mark)
        return .list(keys.map { .text($0) })
    }

    private func split(_ text: String, _ separator: String, _ mark: Mark) throws(TemplateProblem) -> [TemplateValue] {
        // A search compares the separator at every place of the text.
        try budget.read(
            text.utf8.count.multipliedReportingOverflow(by: 1 + separator.utf8.count / 8).partialValue, mark)
        try budget.build(text.utf8.count, mark)
        var parts: [TemplateValue] = []
        if separator.isEmpty {
            for character in text {
                try budget.build(0, items: 1, mark)
                parts.append(.text(String(character)))
            }
            return parts
        }
        var rest = text[...]
        while let range = rest.firstRange(of: separator) {
            try budget.build(0, items: 1, mark)
            parts.append(.text(String(rest[..<range.lowerBound])))
            rest = rest[range.upperBound...]
        }
        return parts + [.text(String(rest))]
    }
}

/// One call of a function, with what its arguments have to be.
struct TemplateCall {
    let name: String
    let arguments: [TemplateValue]
    let mark: Mark
    let budget: TemplateBudget

    private func wrong(_ message: String, note: String? = nil) -> TemplateProblem {
        TemplateProblem(mark, "`\(name)` \(message)", note: note)
    }

    func argument(_ index: Int, of count: Int) throws(TemplateProblem) -> TemplateValue {
        guard arguments.count == count else {
            throw wrong("takes \(count == 1 ? "one argument" : "\(count) arguments"), and gets \(arguments.count)")
        }
        return arguments[index]
    }

    func text(_ index: Int, of count: Int) throws(TemplateProblem) -> String {
        let value = try argument(index, of: count)
        guard case .text(let text) = value else { throw wrong("takes a text, and gets \(value.typeName)") }
        return text
    }

    /// The only argument, of which a text is about to be made that may be longer: other letters have more bytes.
    func textToChange() throws(TemplateProblem) -> String {
        let text = try text(0, of: 1)
        try budget.build(3 * text.utf8.count, mark)
        return text
    }

    /// The texts of values, one behind the other.
    func joined(_ items: [TemplateValue], separator: String) throws(TemplateProblem) -> String {
        var size = 0
        for item in items { size += try measured(item) + separator.utf8.count }
        try budget.build(size, mark)
        return items.map(\.text).joined(separator: separator)
    }

    /// The bytes of a value's text; finding out costs a step for each item of a list.
    private func measured(_ value: TemplateValue) throws(TemplateProblem) -> Int {
        if case .list(let items) = value { try budget.step(items.count, mark) } else { try budget.step(1, mark) }
        return value.textSize
    }

    /// As `text`, where only a refusal can be thrown.
    func refusing(_ index: Int, of count: Int) throws(TemplateRefusal) -> String {
        do throws(TemplateProblem) { return try text(index, of: count) } catch {
            throw TemplateRefusal(error.message, note: error.note)
        }
    }

    func list(_ index: Int, of count: Int) throws(TemplateProblem) -> [TemplateValue] {
        let value = try argument(index, of: count)
        guard case .list(let items) = value else { throw wrong("takes a list, and gets \(value.typeName)") }
        return items
    }

    private func number(_ index: Int, of count: Int) throws(TemplateProblem) -> Int {
        let value = try argument(index, of: count)
        guard case .number(let number) = value else {
            throw wrong("takes a number, and gets \(value.typeName)", note: "`int` makes one of a text")
        }
        return number
    }

    func arithmetic(
        _ operation: (Int, Int) -> (partialValue: Int, overflow: Bool)
    ) throws(TemplateProblem) -> TemplateValue {
        let result = operation(try number(0, of: 2), try number(1, of: 2))
        if result.overflow { throw wrong("has no result: it divides by zero, or the number is too large") }
        return .number(result.partialValue)
    }

    func integer() throws(TemplateProblem) -> Int {
        switch try argument(0, of: 1) {
        case .number(let number): return number
        case .text(let text):
            guard text.utf8.count <= 100, let number = Int(text) else {
                throw wrong("takes a whole number, and gets the text \(VisibleText.quote(text))")
            }
            return number
        case let other: throw wrong("takes a text or a number, and gets \(other.typeName)")
        }
    }

    func length() throws(TemplateProblem) -> Int {
        switch try argument(0, of: 1) {
        case .text(let text): return text.utf8.count
        case .list(let items): return items.count
        case let other: throw wrong("takes a text or a list, and gets \(other.typeName)")
        }
    }

    func element() throws(TemplateProblem) -> TemplateValue {
        let items = try list(0, of: 2)
        let index = try number(1, of: 2)
        guard items.indices.contains(index) else { throw wrong("asks for item \(index) of \(items.count)") }
        return items[index]
    }

    /// Whether the first argument is one of the others.
    func isEqualToAny() throws(TemplateProblem) -> Bool {
        guard arguments.count >= 2 else { throw wrong("takes at least two arguments, and gets \(arguments.count)") }
        for other in arguments.dropFirst() {
            if try compare(arguments[0], other, texts: { $0 == $1 }, numbers: { $0 == $1 }) { return true }
        }
        return false
    }

    func compare(
        _ texts: (String, String) -> Bool, numbers: (Int, Int) -> Bool
    ) throws(TemplateProblem) -> Bool {
        try compare(argument(0, of: 2), argument(1, of: 2), texts: texts, numbers: numbers)
    }

    private func compare(
        _ a: TemplateValue, _ b: TemplateValue, texts: (String, String) -> Bool, numbers: (Int, Int) -> Bool
    ) throws(TemplateProblem) -> Bool {
        switch (a, b) {
        case (.text(let a), .text(let b)):
            try budget.read(min(a.utf8.count, b.utf8.count), mark)
            return texts(a, b)
        case (.number(let a), .number(let b)): return numbers(a, b)
        case (.boolean(let a), .boolean(let b)) where name == "eq" || name == "ne": return (a == b) == (name == "eq")
        case _:
            throw wrong(
                "cannot compare \(a.typeName) and \(b.typeName)", note: "`int` makes a number of a text")
        }
    }

    /// `%s`, `%v`, `%d`, `%q`, `%t` and `%%`, with a width, and with `-` or `0` before it.
    func formatted() throws(TemplateProblem) -> String {
        guard case .text(let format)? = arguments.first else { throw wrong("takes a text first") }
        try budget.build(format.utf8.count, mark)
        var out = ""
        var rest = format[...]
        var values = arguments.dropFirst()
        while let percent = rest.utf8.firstIndex(of: UInt8(ascii: "%")) {
            out += rest[..<percent]
            rest = rest[rest.utf8.index(after: percent)...]
            let flags = rest.prefix { $0 == "-" || $0 == "0" }
            rest.removeFirst(flags.count)
            let width = rest.prefix { $0.isASCII && $0.isNumber }
            rest.removeFirst(width.count)
            guard let verb = rest.popFirst() else { throw wrong("has a `%` at the end of its format") }
            if verb == "%" {
                out.append("%")
                continue
            }
            guard let value = values.popFirst() else { throw wrong("has more verbs in its format than arguments") }
            guard let columns = width.isEmpty ? 0 : Int(width), columns <= 1000 else {
                throw wrong("pads to at most 1000 characters")
            }
            // A quoted text has up to six bytes for one.
            try budget.build((verb == "q" ? 6 : 2) * (try measured(value)) + columns, mark)
            out += padded(try shown(value, verb), columns, flags: flags)
        }
        out += rest
        if !values.isEmpty { throw wrong("has fewer verbs in its format than arguments") }
        return out
    }

    private func padded(_ text: String, _ width: Int, flags: Substring) -> String {
        let missing = max(width - text.count, 0)
        if flags.contains("-") { return text + String(repeating: " ", count: missing) }
        guard flags.contains("0") else { return String(repeating: " ", count: missing) + text }
        let zeros = String(repeating: "0", count: missing)
        return text.hasPrefix("-") ? "-" + zeros + text.dropFirst() : zeros + text
    }

    private func shown(_ value: TemplateValue, _ verb: Character) throws(TemplateProblem) -> String {
        switch (verb, value) {
        case ("v", _), ("s", .text), ("s", .list), ("d", .number), ("t", .boolean): return value.text
        case ("q", .text(let text)): return JSONText.quote(text)
        case ("s", _), ("d", _), ("t", _), ("q", _): throw wrong("cannot show \(value.typeName) as `%\(verb)`")
        case _: throw wrong("does not know the verb `%\(verb)`", note: "%s, %v, %d, %q and %t are known")
        }
    }
}
