internal import Model
internal import YAML

/// One call of a function, with what its arguments have to be. How many they are, the parser has checked.
struct TemplateCall {
    let function: TemplateFunction
    let arguments: [TemplateValue]
    let mark: Mark
    let budget: TemplateBudget

    func wrong(_ message: String, note: String? = nil) -> TemplateProblem {
        TemplateProblem(mark, "`\(function.rawValue)` \(message)", note: note)
    }

    func text(_ index: Int) throws(TemplateProblem) -> TextBytes {
        guard case .bytes(let text) = arguments[index] else {
            throw wrong("takes a text, and gets \(arguments[index].typeName)")
        }
        return text
    }

    /// A text that names a namespace or key.
    func key(_ index: Int) throws(TemplateRefusal) -> String {
        do throws(TemplateProblem) {
            let bytes = try text(index)
            try budget.read(bytes.count, mark)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw wrong("takes a text in UTF-8")
            }
            return text
        } catch {
            throw TemplateRefusal(error.message, note: error.note)
        }
    }

    /// The only argument, of which a text is about to be made that may be longer: other letters have more bytes.
    func textToChange() throws(TemplateProblem) -> TextBytes {
        let text = try text(0)
        try budget.build(3 * text.count, mark)
        return text
    }

    func list(_ index: Int) throws(TemplateProblem) -> [TextBytes] {
        switch arguments[index] {
        case .list(let items): return items
        // Go's list that was never made.
        case .none: return []
        case let other: throw wrong("takes a list, and gets \(other.typeName)")
        }
    }

    // MARK: Texts

    /// The bytes of a value's text, at most; finding out costs a step for each item of a list.
    func measured(_ value: TemplateValue) throws(TemplateProblem) -> Int {
        if case .list(let items) = value { try budget.step(items.count, mark) } else { try budget.step(1, mark) }
        return value.printedSize
    }

    /// A value as `print` writes it.
    func shown(_ value: TemplateValue) throws(TemplateProblem) -> TextBytes {
        guard let text = value.argument else { throw wrong("cannot show \(value.typeName)") }
        return text
    }

    /// As Go's `Sprint`: a blank stands between two values of which neither is a text.
    func joined(_ items: [TemplateValue]) throws(TemplateProblem) -> TextBytes {
        var size = 0
        for item in items { size += try measured(item) + 1 }
        try budget.build(size, mark)
        var out: TextBytes = []
        out.reserveCapacity(size)
        for (index, item) in items.enumerated() {
            if index > 0, TemplateCall.isApart(items[index - 1], item) { out.append(0x20) }
            out += try shown(item)
        }
        return out
    }

    /// Whether `print` writes a blank between these.
    static func isApart(_ before: TemplateValue, _ value: TemplateValue) -> Bool { !before.isText && !value.isText }

    /// As Go's `Sprintln`.
    func line() throws(TemplateProblem) -> TextBytes {
        var size = 0
        for item in arguments { size += try measured(item) + 1 }
        try budget.build(size + 1, mark)
        var out: TextBytes = []
        for (index, item) in arguments.enumerated() {
            if index > 0 { out.append(0x20) }
            out += try shown(item)
        }
        return out + [0x0a]
    }

    /// What `html` and its like write: the only text, or what `print` makes of the arguments.
    ///
    /// - Parameter growth: bytes that one byte becomes, at most.
    func escaped(growth: Int, _ escape: (TextBytes) -> TextBytes) throws(TemplateProblem) -> TextBytes {
        let values = arguments.map { $0 == .none ? TemplateValue.bytes($0.printed ?? []) : $0 }
        let text = try joined(values)
        try budget.build(growth * text.count, mark)
        return escape(text)
    }

    func joinedList() throws(TemplateProblem) -> TextBytes {
        let (items, separator) = (try list(0), try text(1))
        try budget.step(items.count, mark)
        try budget.build(items.reduce(0) { $0 + $1.count + separator.count }, mark)
        return TextBytes(items.joined(separator: separator))
    }

    /// The parts of a text between separators; without a separator its characters.
    func parts() throws(TemplateProblem) -> [TextBytes] {
        let (text, separator) = (try text(0), try text(1))
        // A search compares the separator at every place of the text.
        try budget.read(text.count.multipliedReportingOverflow(by: 1 + separator.count / 8).partialValue, mark)
        try budget.build(text.count, mark)
        var parts: [TextBytes] = []
        var at = 0
        guard let first = separator.first else {
            while at < text.count {
                try budget.build(0, items: 1, mark)
                let width = TextCharacter(text, at: at).width
                parts.append(TextBytes(text[at..<at + width]))
                at += width
            }
            return parts
        }
        var start = 0
        while at + separator.count <= text.count {
            guard text[at] == first, text[at...].starts(with: separator) else {
                at += 1
                continue
            }
            try budget.build(0, items: 1, mark)
            parts.append(TextBytes(text[start..<at]))
            at += separator.count
            start = at
        }
        return parts + [TextBytes(text[start...])]
    }

    func length() throws(TemplateProblem) -> Int {
        switch arguments[0] {
        case .bytes(let text): return text.count
        case .list(let items): return items.count
        case let other: throw wrong("takes a text or a list, and gets \(other.typeName)")
        }
    }

    // MARK: Numbers

    private func number(_ index: Int) throws(TemplateProblem) -> Int {
        guard case .number(let number) = arguments[index] else {
            throw wrong(
                "takes a number, and gets \(arguments[index].typeName)", note: "`int` makes a number of a text")
        }
        return number
    }

    func arithmetic(
        _ operation: (Int, Int) -> (partialValue: Int, overflow: Bool)
    ) throws(TemplateProblem) -> TemplateValue {
        let result = operation(try number(0), try number(1))
        if result.overflow { throw wrong("has no result: it divides by zero, or the number is too large") }
        return .number(result.partialValue)
    }

    /// A whole number, also from a text with white space around it.
    func integer() throws(TemplateProblem) -> Int {
        switch arguments[0] {
        case .number(let number): return number
        case .bytes(let text):
            try budget.read(text.count, mark)
            let digits = text.trimmed
            guard digits.count <= 100, let number = Int(String(decoding: digits, as: UTF8.self)) else {
                let shown = VisibleText.quote(String(decoding: text.prefix(200), as: UTF8.self))
                throw wrong("takes a whole number, and gets the text \(shown)")
            }
            return number
        case let other: throw wrong("takes a text or a number, and gets \(other.typeName)")
        }
    }

    // MARK: Parts

    /// What `index` gives: an item of a list, or a byte of a text; of several indexes one after the other.
    func item() throws(TemplateProblem) -> TemplateValue {
        var item = arguments[0]
        if item == .none { throw wrong("takes a list or a text, and gets nothing") }
        for place in 1..<arguments.count {
            switch item {
            case .list(let items): item = .bytes(items[try index(place, below: items.count)])
            case .bytes(let text): item = .byte(text[try index(place, below: text.count)])
            case let other: throw wrong("takes a list or a text, and gets \(other.typeName)")
            }
        }
        return item
    }

    private func index(_ place: Int, below count: Int) throws(TemplateProblem) -> Int {
        let index: Int
        switch arguments[place] {
        case .number(let number): index = number
        case .byte(let byte): index = Int(byte)
        case let other: throw wrong("takes a number as its index, and gets \(other.typeName)")
        }
        guard (0..<count).contains(index) else { throw wrong("asks for item \(index) of \(count)") }
        return index
    }

    /// A part of a text or a list: from the first number up to the item before the second one.
    func sliced() throws(TemplateProblem) -> TemplateValue {
        let count: Int
        switch arguments[0] {
        case .bytes(let text):
            count = text.count
            if arguments.count == 4 { throw wrong("of a text takes at most 2 numbers") }
        case .list(let items): count = items.count
        case let other: throw wrong("takes a list or a text, and gets \(other.typeName)")
        }
        var bounds = [0, count, count]
        for place in 1..<arguments.count { bounds[place - 1] = try index(place, below: count + 1) }
        guard bounds[0] <= bounds[1], bounds[1] <= bounds[2] else { throw wrong("has numbers that run backwards") }
        let range = bounds[0]..<bounds[1]
        switch arguments[0] {
        case .bytes(let text):
            try budget.build(range.count, mark)
            return .bytes(TextBytes(text[range]))
        case .list(let items):
            try budget.build(0, items: range.count, mark)
            return .list(Array(items[range]))
        case let other: return other
        }
    }
}
