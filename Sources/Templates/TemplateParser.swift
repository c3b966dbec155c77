internal import YAML

/// Makes nodes of tokens, with the grammar of Go's text/template.
///
/// Whatever can be wrong with a template without its values is found here, in every branch: unknown functions, variables
/// that were not declared, and a wrong number of arguments.
struct TemplateParser {
    private let tokens: [Token]
    private var at = 0
    /// Templates that `define` or `block` has named.
    private(set) var named: [TextBytes: [TemplateNode]] = [:]
    private var scope = TemplateScope()
    private var depth = 0
    /// `range` blocks that are open.
    private var ranges = 0

    /// Blocks and parentheses within each other, at most.
    private static let maximumDepth = 100
    /// How Maand names the file itself.
    private static let ownName = TextBytes("template".utf8)

    init(_ source: [UInt8]) throws(TemplateProblem) {
        var lexer = TemplateLexer(source)
        tokens = try lexer.tokens()
    }

    /// What ends a list of nodes.
    private enum End: Equatable {
        case file, end, otherwise
    }

    mutating func template() throws(TemplateProblem) -> [TemplateNode] {
        let (nodes, end) = try nodes(isTop: true)
        guard end == .file else { throw problem("nothing is open that this could end", at: at - 1) }
        return nodes
    }

    private func mark(_ index: Int) -> Mark {
        (tokens.indices.contains(index) ? tokens[index] : tokens.last)?.mark ?? Mark(line: 1, column: 1)
    }

    private func problem(_ message: String, at index: Int, note: String? = nil) -> TemplateProblem {
        TemplateProblem(mark(index), message, note: note)
    }

    /// Up to `end`, `else` or the end of the file. After `end` and `else` the parser stands behind that word.
    ///
    /// - Parameter isTop: outside of all blocks, where templates are defined.
    private mutating func nodes(isTop: Bool = false) throws(TemplateProblem) -> ([TemplateNode], End) {
        var nodes: [TemplateNode] = []
        while at < tokens.count {
            if case .text(let text) = tokens[at].kind {
                nodes.append(.text(text))
                at += 1
                continue
            }
            at += 1  // `{{`
            if take(.keyword(.end)) {
                try close()
                return (nodes, .end)
            }
            if take(.keyword(.else)) { return (nodes, .otherwise) }
            if isTop, take(.keyword(.define)) { try definition() } else { nodes.append(try action()) }
        }
        return (nodes, .file)
    }

    /// After `{{`.
    private mutating func action() throws(TemplateProblem) -> TemplateNode {
        let start = at
        guard case .keyword(let word)? = kind else { return .output(try closedPipeline("a value or a function")) }
        at += 1
        switch word {
        case .if, .with, .range: return try control(word)
        case .block: return try blockDefinition(start)
        case .template:
            let name = try name()
            let argument = kind == .close ? nil : try pipeline("the value for the template")
            try close()
            return .call(name: name, argument: argument, mark(start))
        case .break, .continue:
            try close()
            if ranges == 0 { throw problem("`\(word.rawValue)` is only allowed inside of `range`", at: start) }
            return .leave(isBreak: word == .break)
        case .define: throw problem("`define` is only allowed outside of all blocks", at: start)
        case .else, .end: throw problem("`\(word.rawValue)` is not allowed here", at: start)
        }
    }

    // MARK: Named templates

    /// After `define`.
    private mutating func definition() throws(TemplateProblem) {
        let start = at - 1
        let name = try name()
        try close()
        try define(name, "define", start)
    }

    private mutating func blockDefinition(_ start: Int) throws(TemplateProblem) -> TemplateNode {
        let name = try name()
        let argument = try closedPipeline("the value for the template")
        try define(name, "block", start)
        return .call(name: name, argument: argument, mark(start))
    }

    /// Of two templates with one name, one has to be empty, and the other one counts.
    private mutating func define(_ name: TextBytes, _ word: String, _ start: Int) throws(TemplateProblem) {
        let outer = (scope, ranges)
        (scope, ranges) = (TemplateScope(), 0)
        defer { (scope, ranges) = outer }
        let body = try body(word, start)
        if name == Self.ownName { throw problem("the name \"template\" is that of the file itself", at: start) }
        guard let before = named[name], !before.allSatisfy(\.isBlank) else {
            named[name] = body
            return
        }
        if !body.allSatisfy(\.isBlank) {
            throw problem("the template \"\(String(decoding: name, as: UTF8.self))\" is defined twice", at: start)
        }
    }

    /// Up to the `end` of a block without `else`.
    private mutating func body(_ word: String, _ start: Int) throws(TemplateProblem) -> [TemplateNode] {
        try enter(start)
        defer { depth -= 1 }
        let (nodes, end) = try nodes()
        switch end {
        case .end: return nodes
        case .file: throw problem("`\(word)` is not closed by `{{ end }}`", at: start)
        case .otherwise: throw problem("`\(word)` has no `else`", at: at - 1)
        }
    }

    // MARK: Blocks

    /// After `if`, `with` or `range`.
    private mutating func control(_ word: Token.Keyword) throws(TemplateProblem) -> TemplateNode {
        let start = at - 1
        let outer = scope.count
        defer { scope.leave(outer) }
        let pipeline = try closedPipeline("the value for `\(word.rawValue)`", isRange: word == .range)
        let (nodes, otherwise) = try branches(word, start)
        return switch word {
        case .if: .condition(pipeline, then: nodes, otherwise: otherwise)
        case .with: .with(pipeline, body: nodes, otherwise: otherwise)
        case _: .range(pipeline, body: nodes, otherwise: otherwise)
        }
    }

    private mutating func branches(
        _ word: Token.Keyword, _ start: Int
    ) throws(TemplateProblem) -> (nodes: [TemplateNode], otherwise: [TemplateNode]) {
        try enter(start)
        defer { depth -= 1 }
        if word == .range { ranges += 1 }
        let (nodes, end) = try nodes()
        if word == .range { ranges -= 1 }
        switch end {
        case .end: return (nodes, [])
        case .file: throw problem("`\(word.rawValue)` is not closed by `{{ end }}`", at: start)
        case .otherwise:
            // `{{ else if … }}` is a block of its own, which the same `end` closes.
            if word != .range, take(.keyword(word)) { return (nodes, [try control(word)]) }
            try close()
            let (otherwise, last) = try self.nodes()
            guard last == .end else {
                throw last == .file
                    ? problem("`\(word.rawValue)` is not closed by `{{ end }}`", at: start)
                    : problem("`\(word.rawValue)` has an `else` already", at: at - 1)
            }
            return (nodes, otherwise)
        }
    }

    private mutating func enter(_ start: Int) throws(TemplateProblem) {
        depth += 1
        if depth > Self.maximumDepth { throw problem("more than \(Self.maximumDepth) blocks are open here", at: start) }
    }

    // MARK: Pipelines

    private mutating func closedPipeline(
        _ meaning: String, isRange: Bool = false
    ) throws(TemplateProblem) -> Pipeline {
        let pipeline = try pipeline(meaning, isRange: isRange)
        try close()
        return pipeline
    }

    /// - Parameter meaning: what it gives, for messages.
    private mutating func pipeline(_ meaning: String, isRange: Bool = false) throws(TemplateProblem) -> Pipeline {
        var pipeline = Pipeline(mark: mark(at))
        try readVariables(into: &pipeline, isRange: isRange)
        while let command = try command(isFirst: pipeline.commands.isEmpty) {
            pipeline.commands.append(command)
            if !take(.pipe) { break }
        }
        if pipeline.commands.isEmpty { throw problem("\(meaning) is missing here", at: at) }
        if pipeline.isDeclaration { pipeline.variables.forEach { scope.declare($0) } }
        return pipeline
    }

    /// `$a :=`, `$a, $b :=` or `$a =`, where they stand.
    private mutating func readVariables(into pipeline: inout Pipeline, isRange: Bool) throws(TemplateProblem) {
        let start = at
        var names: [String] = []
        while case .variable(let name)? = kind(names.count * 2) {
            names.append(name)
            guard kind(names.count * 2 - 1) == .comma else { break }
        }
        let sign = kind(max(0, names.count * 2 - 1))
        guard !names.isEmpty, sign == .declare || sign == .assign else {
            if !names.isEmpty, kind(1) == .comma { throw problem("`:=` or `=` is missing here", at: start) }
            return
        }
        if names.count > (isRange ? 2 : 1) {
            throw problem("only `range` sets two variables, and nothing sets more", at: start)
        }
        pipeline.variables = names
        pipeline.isDeclaration = sign == .declare
        if !pipeline.isDeclaration {
            for (index, name) in names.enumerated() { try use(name, at: start + index * 2) }
        }
        at += names.count * 2
    }

    private func use(_ name: String, at index: Int) throws(TemplateProblem) {
        if !scope.has(name) {
            throw problem("\(name) was not declared", at: index, note: "`\(name) := …` declares it")
        }
    }

    /// - Returns: nil if none begins here.
    private mutating func command(isFirst: Bool) throws(TemplateProblem) -> Command? {
        var command = Command(operands: [], mark: mark(at))
        while let operand = try operand() {
            command.operands.append(operand)
            if let next = tokens.indices.contains(at) ? tokens[at] : nil, !next.isApart, next.beginsOperand {
                throw problem("a blank is missing here", at: at)
            }
        }
        guard let first = command.operands.first else { return nil }
        for case .function(let function) in command.operands.dropFirst().map(\.kind) {
            try check(function, 0, command.mark)
        }
        let count = command.operands.count - (isFirst ? 1 : 0)
        guard case .function(let function) = first.kind, first.fields.isEmpty else {
            if command.operands.count > 1 { throw TemplateProblem(command.mark, "only a function can have arguments") }
            if !isFirst { throw TemplateProblem(command.mark, "what comes after `|` has to be a function") }
            if case .literal(.none) = first.kind, first.fields.isEmpty {
                throw TemplateProblem(command.mark, "`nil` can only be an argument of a function")
            }
            return command
        }
        try check(function, count, first.mark)
        return command
    }

    private func check(_ function: TemplateFunction, _ count: Int, _ mark: Mark) throws(TemplateProblem) {
        if let problem = function.problem(ofCount: count) { throw TemplateProblem(mark, problem) }
    }

    private mutating func operand() throws(TemplateProblem) -> Operand? {
        let start = at
        guard let kind = try term() else { return nil }
        var operand = Operand(kind: kind, mark: mark(start))
        if case .field(let name) = tokens[start].kind { operand.fields = [name] }
        while tokens.indices.contains(at), !tokens[at].isApart, case .field(let name) = tokens[at].kind {
            switch operand.kind {
            case .literal: throw problem("a constant has no fields", at: at)
            case .dot where operand.fields.isEmpty: throw problem("the name of a field is missing here", at: start)
            case .function: throw problem("the result of a function has no fields", at: at)
            case .dot, .variable, .parenthesis: operand.fields.append(name)
            }
            at += 1
        }
        return operand
    }

    /// An operand without the fields behind it.
    private mutating func term() throws(TemplateProblem) -> Operand.Kind? {
        let start = at
        guard let kind else { return nil }
        if !Token(kind: kind, mark: mark(at)).beginsOperand { return nil }
        at += 1
        switch kind {
        case .variable(let name):
            try use(name, at: start)
            return .variable(name)
        case .string(let text): return .literal(.bytes(text))
        case .number(let number): return .literal(.number(number))
        case .boolean(let value): return .literal(.boolean(value))
        case .absent: return .literal(.none)
        case .identifier(let name):
            guard let function = TemplateFunction(rawValue: name) else {
                throw problem(
                    "there is no function `\(name)`", at: start, note: TemplateFunction.note(onUnknown: name))
            }
            return .function(function)
        case .leftParenthesis:
            try enter(start)
            defer { depth -= 1 }
            let inner = try pipeline("a value or a function")
            guard take(.rightParenthesis) else { throw problem("`)` is missing here", at: at) }
            return .parenthesis(inner)
        case _: return .dot
        }
    }

    // MARK: Tokens

    private var kind: Token.Kind? { kind(0) }

    /// The kind of the token that comes `distance` after the next one.
    private func kind(_ distance: Int) -> Token.Kind? {
        tokens.indices.contains(at + distance) ? tokens[at + distance].kind : nil
    }

    private mutating func close() throws(TemplateProblem) {
        guard take(.close) else { throw problem("`}}` is expected here", at: at) }
    }

    private mutating func take(_ kind: Token.Kind) -> Bool {
        guard self.kind == kind else { return false }
        at += 1
        return true
    }

    private mutating func name() throws(TemplateProblem) -> TextBytes {
        guard case .string(let text)? = kind else {
            throw problem("the name of a template is expected here, in quotes", at: at)
        }
        at += 1
        return text
    }
}

extension Token {
    fileprivate var beginsOperand: Bool {
        switch kind {
        case .absent, .identifier, .boolean, .dot, .field, .variable, .string, .number, .leftParenthesis: true
        case .text, .open, .close, .keyword, .rightParenthesis, .pipe, .comma, .declare, .assign: false
        }
    }
}

/// Variables that were declared where the parser is. A block ends those that were declared in it.
struct TemplateScope {
    private var names = ["$"]
    /// How often each name is among `names`.
    private var counts = ["$": 1]

    var count: Int { names.count }

    func has(_ name: String) -> Bool { counts[name, default: 0] > 0 }

    mutating func declare(_ name: String) {
        names.append(name)
        counts[name, default: 0] += 1
    }

    mutating func leave(_ count: Int) {
        while names.count > count { counts[names.removeLast(), default: 1] -= 1 }
    }
}
