internal import YAML

/// Makes nodes of tokens.
struct TemplateParser {
    private let tokens: [Token]
    private var at = 0
    /// Templates that `define` has named.
    private(set) var named: [String: [TemplateNode]] = [:]
    private var depth = 0

    /// Blocks and parentheses within each other, at most.
    private static let maximumDepth = 100

    init(_ source: [UInt8]) throws(TemplateProblem) {
        var lexer = TemplateLexer(source)
        tokens = try lexer.tokens()
    }

    /// What ends a list of nodes.
    private enum End: Equatable {
        case file
        case end
        case otherwise
    }

    mutating func template() throws(TemplateProblem) -> [TemplateNode] {
        let (nodes, end) = try nodes()
        guard end == .file else { throw problem("nothing is open that this could end", at: at - 1) }
        return nodes
    }

    private var endMark: Mark { tokens.last?.mark ?? Mark(line: 1, column: 1) }

    private func mark(_ index: Int) -> Mark { tokens.indices.contains(index) ? tokens[index].mark : endMark }

    private func problem(_ message: String, at index: Int, note: String? = nil) -> TemplateProblem {
        TemplateProblem(mark(index), message, note: note)
    }

    /// Up to `end`, `else` or the end of the file. After `else` the parser stands behind that word.
    private mutating func nodes() throws(TemplateProblem) -> ([TemplateNode], End) {
        var nodes: [TemplateNode] = []
        while at < tokens.count {
            if case .text(let text) = tokens[at].kind {
                nodes.append(.text(text))
                at += 1
                continue
            }
            at += 1  // `{{`
            if take("end") {
                try close()
                return (nodes, .end)
            }
            if take("else") { return (nodes, .otherwise) }
            if let node = try action() { nodes.append(node) }
        }
        return (nodes, .file)
    }

    /// After `{{`; nil for a definition.
    private mutating func action() throws(TemplateProblem) -> TemplateNode? {
        let start = at
        guard case .identifier(let word)? = at < tokens.count ? tokens[at].kind : nil else {
            return .output(try closedPipeline())
        }
        switch word {
        case "if", "with", "range":
            at += 1
            return try block(word)
        case "define":
            at += 1
            let name = try string()
            try close()
            named[name] = try body("define", start).nodes
            return nil
        case "block":
            at += 1
            let name = try string()
            let argument = try closedPipeline()
            named[name] = try body("block", start).nodes
            return .call(name: name, argument: argument, mark(start))
        case "template":
            at += 1
            let name = try string()
            let argument = isAtClose ? nil : try pipeline()
            try close()
            return .call(name: name, argument: argument, mark(start))
        case "break", "continue":
            at += 1
            try close()
            return .leave(isBreak: word == "break")
        case _: return .output(try closedPipeline())
        }
    }

    /// After `if`, `with` or `range`.
    private mutating func block(_ word: String) throws(TemplateProblem) -> TemplateNode {
        let start = at - 1
        let pipeline = try closedPipeline()
        if pipeline.variables.count > 1, word != "range" {
            throw problem("only `range` sets two variables", at: start)
        }
        let (nodes, otherwise) = try body(word, start)
        return switch word {
        case "if": .condition(pipeline, then: nodes, otherwise: otherwise)
        case "with": .with(pipeline, body: nodes, otherwise: otherwise)
        case _: .range(pipeline, body: nodes, otherwise: otherwise)
        }
    }

    private mutating func body(
        _ word: String, _ start: Int
    ) throws(TemplateProblem) -> (nodes: [TemplateNode], otherwise: [TemplateNode]) {
        try enter(start)
        defer { depth -= 1 }
        let (nodes, end) = try nodes()
        switch end {
        case .end: return (nodes, [])
        case .file: throw problem("`\(word)` is not closed by `{{ end }}`", at: start)
        case .otherwise:
            if word == "define" || word == "block" { throw problem("`\(word)` has no `else`", at: at - 1) }
            // `{{ else if … }}` is a block of its own, which the same `end` closes.
            for word in ["if", "with"] where take(word) { return (nodes, [try block(word)]) }
            try close()
            let (otherwise, last) = try self.nodes()
            guard last == .end else {
                throw last == .file
                    ? problem("`\(word)` is not closed by `{{ end }}`", at: start)
                    : problem("`\(word)` has an `else` already", at: at - 1)
            }
            return (nodes, otherwise)
        }
    }

    private mutating func enter(_ start: Int) throws(TemplateProblem) {
        depth += 1
        if depth > Self.maximumDepth { throw problem("more than \(Self.maximumDepth) blocks are open here", at: start) }
    }

    // MARK: Pipelines

    private mutating func closedPipeline() throws(TemplateProblem) -> Pipeline {
        let pipeline = try pipeline()
        try close()
        return pipeline
    }

    private mutating func pipeline() throws(TemplateProblem) -> Pipeline {
        var pipeline = Pipeline(mark: mark(at))
        readVariables(into: &pipeline)
        repeat {
            pipeline.commands.append(try command())
        } while take(.pipe)
        return pipeline
    }

    /// `$a :=`, `$a, $b :=` or `$a =`, where they stand.
    private mutating func readVariables(into pipeline: inout Pipeline) {
        var names: [String] = []
        var next = at
        while next < tokens.count, case .variable(let name) = tokens[next].kind {
            names.append(name)
            next += 1
            guard next < tokens.count, tokens[next].kind == .comma, names.count < 2 else { break }
            next += 1
        }
        guard !names.isEmpty, next < tokens.count, [.declare, .assign].contains(tokens[next].kind) else { return }
        pipeline.variables = names
        pipeline.isDeclaration = tokens[next].kind == .declare
        at = next + 1
    }

    private mutating func command() throws(TemplateProblem) -> Command {
        var command = Command(operands: [], mark: mark(at))
        while let operand = try operand() { command.operands.append(operand) }
        if command.operands.isEmpty { throw problem("a value or a function is missing here", at: at) }
        for (index, operand) in command.operands.enumerated() {
            if case .function = operand.kind, index == 0 { continue }
            if index > 0, case .function = command.operands[0].kind { continue }
            if index > 0 { throw TemplateProblem(command.mark, "only a function can have arguments") }
        }
        return command
    }

    private mutating func operand() throws(TemplateProblem) -> Operand? {
        guard at < tokens.count else { return nil }
        let start = mark(at)
        var fields: [String] = []
        let kind: Operand.Kind
        switch tokens[at].kind {
        case .dot: kind = .dot
        case .field(let name):
            kind = .dot
            fields = [name]
        case .variable(let name): kind = .variable(name)
        case .string(let text): kind = .literal(.text(text))
        case .number(let number): kind = .literal(.number(number))
        case .identifier("true"): kind = .literal(.boolean(true))
        case .identifier("false"): kind = .literal(.boolean(false))
        case .identifier("nil"): kind = .literal(.none)
        case .identifier(let name): kind = .function(name)
        case .leftParenthesis:
            try enter(at)
            defer { depth -= 1 }
            at += 1
            let inner = try pipeline()
            guard at < tokens.count, tokens[at].kind == .rightParenthesis else {
                throw problem("`)` is missing here", at: at)
            }
            kind = .parenthesis(inner)
        case .text, .open, .close, .rightParenthesis, .pipe, .comma, .declare, .assign: return nil
        }
        at += 1
        while at < tokens.count, !tokens[at].isApart, case .field(let name) = tokens[at].kind {
            fields.append(name)
            at += 1
        }
        return Operand(kind: kind, fields: fields, mark: start)
    }

    // MARK: Tokens

    private var isAtClose: Bool { at < tokens.count && tokens[at].kind == .close }

    private mutating func close() throws(TemplateProblem) {
        guard isAtClose else { throw problem("`}}` is expected here", at: at) }
        at += 1
    }

    private mutating func take(_ word: String) -> Bool { take(.identifier(word)) }

    private mutating func take(_ kind: Token.Kind) -> Bool {
        guard at < tokens.count, tokens[at].kind == kind else { return false }
        at += 1
        return true
    }

    private mutating func string() throws(TemplateProblem) -> String {
        guard at < tokens.count, case .string(let text) = tokens[at].kind else {
            throw problem("the name of a template is expected here, in quotes", at: at)
        }
        at += 1
        return text
    }
}
