internal import YAML

/// `printf` of templates: Go's verbs, flags, widths and precisions. Where Go would write what is wrong into the text, such as
/// `%!d(string=x)`, this is an error.
struct TemplateFormat {
    private let call: TemplateCall
    private let format: TextBytes
    private let values: ArraySlice<TemplateValue>
    /// The place in `format`.
    private var at = 0
    /// The value that comes next, an index of `values`.
    private var place: Int
    /// A number such as `[2]` has chosen a value. Then values may be left over.
    private var hasChosen = false
    private var out: TextBytes = []

    /// Columns and digits that a verb may ask for, at most.
    private static let maximumWidth = 1000

    init(_ call: TemplateCall) throws(TemplateProblem) {
        self.call = call
        format = try call.text(0)
        values = call.arguments.dropFirst()
        place = values.startIndex
    }

    mutating func text() throws(TemplateProblem) -> TextBytes {
        try call.budget.build(format.count, call.mark)
        while at < format.count {
            if format[at] != UInt8(ascii: "%") {
                let end = format[at...].firstIndex(of: UInt8(ascii: "%")) ?? format.count
                out += format[at..<end]
                at = end
            } else {
                at += 1
                try verb()
            }
        }
        if !hasChosen, place < values.endIndex { throw call.wrong("has fewer verbs in its format than arguments") }
        return out
    }

    private var next: UInt8? { at < format.count ? format[at] : nil }

    // MARK: Reading the format

    /// After `%`.
    private mutating func verb() throws(TemplateProblem) {
        var style = FormatStyle()
        while let flag = next, style.take(flag: flag) { at += 1 }
        var isChosen = try choose()
        if next == UInt8(ascii: "*") {
            at += 1
            let width = try columns()
            style.width = abs(width)
            if width < 0 { (style.minus, style.zero) = (true, false) }
            isChosen = false
        } else {
            style.width = try number()
            if isChosen, style.width != nil { throw misplaced }
        }
        if next == UInt8(ascii: "."), at + 1 < format.count {
            if isChosen { throw misplaced }
            at += 1
            isChosen = try choose()
            if next == UInt8(ascii: "*") {
                at += 1
                let digits = try columns()
                if digits < 0 { throw call.wrong("has a precision below 0") }
                style.precision = digits
                isChosen = false
            } else {
                style.precision = try number() ?? 0
            }
        }
        if !isChosen { isChosen = try choose() }
        guard at < format.count else { throw call.wrong("has a `%` at the end of its format") }
        let verb = TextCharacter(format, at: at)
        at += verb.width
        if verb.scalar == "%" {
            out.append(UInt8(ascii: "%"))
            return
        }
        try write(try value(), verb.scalar, style)
    }

    private var misplaced: TemplateProblem { call.wrong("has a width behind `[n]`: it stands before it") }

    /// `[2]`, which says that the second value comes next. Returns whether it stands here.
    private mutating func choose() throws(TemplateProblem) -> Bool {
        guard next == UInt8(ascii: "[") else { return false }
        hasChosen = true
        at += 1
        let index = try number()
        guard let index, next == UInt8(ascii: "]"), (1...max(1, values.count)).contains(index), !values.isEmpty else {
            throw call.wrong("has a `[` in its format that chooses none of its \(values.count) values")
        }
        at += 1
        place = values.startIndex + index - 1
        return true
    }

    private mutating func number() throws(TemplateProblem) -> Int? {
        var number: Int?
        while let digit = next, TemplateLexer.isDigit(digit) {
            number = try bounded((number ?? 0) * 10 + Int(digit - 0x30))
            at += 1
        }
        return number
    }

    private func bounded(_ number: Int) throws(TemplateProblem) -> Int {
        guard abs(number) <= Self.maximumWidth else {
            throw call.wrong("pads to at most \(Self.maximumWidth) characters")
        }
        return number
    }

    private mutating func value() throws(TemplateProblem) -> TemplateValue {
        guard place < values.endIndex else { throw call.wrong("has more verbs in its format than arguments") }
        defer { place += 1 }
        return values[place]
    }

    /// The value of `*`.
    private mutating func columns() throws(TemplateProblem) -> Int {
        switch try value() {
        case .number(let number):
            guard number > Int.min else { return try bounded(Int.max) }
            return try bounded(number)
        case .byte(let byte): return Int(byte)
        case let other: throw call.wrong("takes a number for `*`, and gets \(other.typeName)")
        }
    }

    // MARK: Writing values

    private mutating func write(
        _ value: TemplateValue, _ verb: Unicode.Scalar, _ style: FormatStyle
    ) throws(TemplateProblem) {
        var style = style
        if verb == "v" { style.becomesValue() }
        // A damaged byte has four characters when it is quoted, and five in hexadecimal with blanks.
        let growth = style.isSource || verb == "q" || verb == "x" || verb == "X" ? 6 : 1
        let padding = (style.width ?? 0) + (style.precision ?? 0)
        let items = if case .list(let items) = value { items.count + 1 } else { 1 }
        try call.budget.build(growth * (try call.measured(value)) + 100 + items * padding, call.mark)
        guard let text = style.text(value, verb) else {
            let shown = String(verb.isPrintable ? verb : "?")
            throw call.wrong(
                "cannot show \(value.typeName) as `%\(shown)`",
                note: "%v shows everything; %s, %q and %x show texts, and %d, %x, %o, %b and %c numbers")
        }
        out += text
    }
}

extension TemplateCall {
    /// What `printf` writes.
    func formatted() throws(TemplateProblem) -> TextBytes {
        var format = try TemplateFormat(self)
        return try format.text()
    }
}
