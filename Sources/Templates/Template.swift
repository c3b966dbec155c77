public import Model
internal import YAML

/// A template in the language of Go's text/template, as far as configuration files need it: values, pipelines, `if`, `with`,
/// `range`, `define`, and functions. It computes with texts, whole numbers, truth values and lists.
///
/// Rendering is pure: the same template, data and values give the same text.
public struct Template: Sendable {
    private let nodes: [TemplateNode]
    private let named: [String: [TemplateNode]]

    /// Bytes that a template may become, at most.
    static let maximumOutput = 4 << 20

    /// - Throws: what is wrong with the template first.
    public init(_ source: [UInt8]) throws(TemplateProblem) {
        var parser = try TemplateParser(source)
        nodes = try parser.template()
        named = parser.named
    }

    /// What a template becomes.
    public enum Rendered: Equatable, Sendable {
        /// The bytes of the file.
        case plain([UInt8])
        /// Values of secrets belong into it.
        case sealed(SealedFile)
    }

    /// - Parameters:
    ///   - data: what `.` is.
    ///   - values: gives the functions `get`, `getOptional`, `getSecret` and `keys` what they ask for.
    public func render(_ data: TemplateValue, values: any TemplateValues) throws(TemplateProblem) -> Rendered {
        try render(data, values: values, budget: TemplateBudget())
    }

    func render(
        _ data: TemplateValue, values: any TemplateValues, budget: TemplateBudget
    ) throws(TemplateProblem) -> Rendered {
        var rendering = Rendering(
            named: named, functions: TemplateFunctions(values: values, budget: budget), budget: budget)
        _ = try rendering.run(nodes, dot: data)
        return rendering.result
    }
}

/// Where a template's values come from.
public protocol TemplateValues {
    /// The value of a key; nil where it has none.
    ///
    /// - Throws: `TemplateRefusal` where the template may not ask for it.
    func value(_ namespace: String, _ key: String) throws(TemplateRefusal) -> TemplateValue?
    /// The keys of a namespace, sorted.
    func keys(_ namespace: String) throws(TemplateRefusal) -> [String]
    /// A secret of the template's own job; without its value.
    func secret(_ key: String) throws(TemplateRefusal) -> SecretReference
}

/// Why a value is not given to a template.
public struct TemplateRefusal: Error {
    public let message: String
    public let note: String?

    public init(_ message: String, note: String? = nil) {
        self.message = message
        self.note = note
    }
}

/// One template as it becomes a text.
private struct Rendering {
    let named: [String: [TemplateNode]]
    let functions: TemplateFunctions
    let budget: TemplateBudget
    private var output: [UInt8] = []
    /// What comes before `output`, up to the last secret.
    private var sealed: [SealedFile.Part] = []
    /// Bytes that `sealed` takes.
    private var sealedSize = 0
    /// Innermost last.
    private var variables: [(name: String, value: TemplateValue)] = []
    private var depth = 0

    init(named: [String: [TemplateNode]], functions: TemplateFunctions, budget: TemplateBudget) {
        self.named = named
        self.functions = functions
        self.budget = budget
    }

    enum Flow {
        case next, breaks, continues
    }

    /// What the template has become.
    var result: Template.Rendered {
        sealed.isEmpty ? .plain(output) : .sealed(SealedFile(sealed + [.text(output)]))
    }

    private mutating func write(_ secret: SecretText, _ mark: Mark) throws(TemplateProblem) {
        let parts: [SealedFile.Part] = [.text(output), .secret(secret)]
        // As it is written down, where a secret has its names.
        let size = SealedFile(parts).bytes.count
        try check(mark, more: size)
        try budget.step(secret.count, mark)
        sealed += parts
        sealedSize += size
        output = []
    }

    mutating func run(_ nodes: [TemplateNode], dot: TemplateValue) throws(TemplateProblem) -> Flow {
        if depth == 0 { variables = [("$", dot)] }
        depth += 1
        defer { depth -= 1 }
        for node in nodes {
            let flow = try run(node, dot)
            if flow != .next { return flow }
        }
        return .next
    }

    private mutating func run(_ node: TemplateNode, _ dot: TemplateValue) throws(TemplateProblem) -> Flow {
        switch node {
        case .text(let text): output += text.utf8
        case .output(let pipeline):
            let value = try value(pipeline, dot)
            try check(pipeline.mark)
            if case .secret(let text) = value, pipeline.variables.isEmpty {
                try write(text, pipeline.mark)
            } else if pipeline.variables.isEmpty {
                if case .list(let items) = value { try budget.step(items.count, pipeline.mark) }
                try check(pipeline.mark, more: value.textSize)
                output += value.text.utf8
            }
        case .condition(let pipeline, let then, let otherwise):
            let scope = variables.count
            defer { variables.removeSubrange(scope...) }
            return try run(value(pipeline, dot).truth(pipeline.mark) ? then : otherwise, dot: dot)
        case .with(let pipeline, let body, let otherwise):
            let scope = variables.count
            defer { variables.removeSubrange(scope...) }
            let value = try value(pipeline, dot)
            return try value.truth(pipeline.mark) ? run(body, dot: value) : run(otherwise, dot: dot)
        case .range(let pipeline, let body, let otherwise):
            try repeated(pipeline, body, otherwise, dot)
        case .call(let name, let argument, let mark):
            try call(
                name, try argument.map { pipeline throws(TemplateProblem) in try value(pipeline, dot) } ?? .none, mark)
        case .leave(let isBreak): return isBreak ? .breaks : .continues
        }
        return .next
    }

    /// - Parameter more: bytes that are about to become a part of the output.
    private func check(_ mark: Mark, more: Int = 0) throws(TemplateProblem) {
        if sealedSize + output.count + more > Template.maximumOutput {
            throw TemplateProblem(mark, "the template becomes larger than \(Template.maximumOutput >> 20) MiB")
        }
        if depth > TemplateBudget.maximumDepth {
            throw TemplateProblem(mark, "templates call each other more than \(TemplateBudget.maximumDepth) deep")
        }
    }

    private mutating func declare(_ name: String, _ value: TemplateValue, _ mark: Mark) throws(TemplateProblem) {
        guard variables.count < TemplateBudget.maximumVariables else {
            throw TemplateProblem(mark, "more than \(TemplateBudget.maximumVariables) variables are declared here")
        }
        variables.append((name, value))
    }

    private mutating func repeated(
        _ pipeline: Pipeline, _ body: [TemplateNode], _ otherwise: [TemplateNode], _ dot: TemplateValue
    ) throws(TemplateProblem) {
        let scope = variables.count
        defer { variables.removeSubrange(scope...) }
        var plain = pipeline
        plain.variables = []
        let value = try value(plain, dot)
        let count: Int
        switch value {
        case .list(let items): count = items.count
        case .number(let number):
            guard (0...1_000_000).contains(number) else {
                throw TemplateProblem(pipeline.mark, "`range` counts from 0 to 1000000, not to \(number)")
            }
            count = number
        case let other:
            if try !other.truth(pipeline.mark) {
                count = 0
                break
            }
            throw TemplateProblem(pipeline.mark, "`range` goes over a list, and this is \(other.typeName)")
        }
        if count == 0 { _ = try run(otherwise, dot: dot) }
        for index in 0..<count {
            let item: TemplateValue
            if case .list(let items) = value { item = items[index] } else { item = .number(index) }
            defer { variables.removeSubrange(scope...) }
            let values = pipeline.variables.count == 2 ? [.number(index), item] : [item]
            for (name, value) in zip(pipeline.variables, values) { try declare(name, value, pipeline.mark) }
            try budget.step(1, pipeline.mark)
            try check(pipeline.mark)
            if try run(body, dot: item) == .breaks { break }
        }
    }

    private mutating func call(_ name: String, _ argument: TemplateValue, _ mark: Mark) throws(TemplateProblem) {
        guard let nodes = named[name] else { throw TemplateProblem(mark, "there is no template \"\(name)\"") }
        try budget.step(1, mark)
        try check(mark)
        let outer = variables
        // Also where the template fails: those who called it remove what they declared themselves.
        defer { variables = outer }
        variables = [("$", argument)]
        _ = try run(nodes, dot: argument)
    }

    // MARK: Values

    private mutating func value(_ pipeline: Pipeline, _ dot: TemplateValue) throws(TemplateProblem) -> TemplateValue {
        try budget.step(1, pipeline.mark)
        var result: TemplateValue?
        for command in pipeline.commands { result = try value(command, last: result, dot) }
        let value = result ?? .none
        guard let name = pipeline.variables.first else { return value }
        try budget.find(among: variables.count, pipeline.mark)
        if pipeline.isDeclaration {
            try declare(name, value, pipeline.mark)
        } else if let index = variables.lastIndex(where: { $0.name == name }) {
            variables[index].value = value
        } else {
            throw TemplateProblem(pipeline.mark, "\(name) was not declared", note: "`\(name) := …` declares it")
        }
        return value
    }

    private mutating func value(
        _ command: Command, last: TemplateValue?, _ dot: TemplateValue
    ) throws(TemplateProblem) -> TemplateValue {
        try budget.step(command.operands.count, command.mark)
        let first = command.operands[0]
        guard case .function(let name) = first.kind else {
            if last != nil { throw TemplateProblem(command.mark, "what comes after `|` has to be a function") }
            return try value(first, dot)
        }
        if name == "and" || name == "or" { return try chosen(name, command, last, dot) }
        var arguments: [TemplateValue] = []
        for operand in command.operands.dropFirst() { arguments.append(try value(operand, dot)) }
        if let last { arguments.append(last) }
        return try functions.call(name, arguments, first.mark)
    }

    /// `and` and `or` look at no more arguments than they need.
    private mutating func chosen(
        _ name: String, _ command: Command, _ last: TemplateValue?, _ dot: TemplateValue
    ) throws(TemplateProblem) -> TemplateValue {
        var result: TemplateValue?
        for operand in command.operands.dropFirst() {
            let value = try value(operand, dot)
            result = value
            if try value.truth(operand.mark) == (name == "or") { return value }
        }
        guard let result = last ?? result else { throw TemplateProblem(command.mark, "`\(name)` needs an argument") }
        return result
    }

    private mutating func value(_ operand: Operand, _ dot: TemplateValue) throws(TemplateProblem) -> TemplateValue {
        var value: TemplateValue
        switch operand.kind {
        case .dot: value = dot
        case .literal(let literal): value = literal
        case .function(let name): value = try functions.call(name, [], operand.mark)
        case .parenthesis(let pipeline): value = try self.value(pipeline, dot)
        case .variable(let name):
            try budget.find(among: variables.count, operand.mark)
            guard let found = variables.last(where: { $0.name == name }) else {
                throw TemplateProblem(operand.mark, "\(name) was not declared", note: "`\(name) := …` declares it")
            }
            value = found.value
        }
        for name in operand.fields {
            guard case .fields(let fields) = value else {
                throw TemplateProblem(operand.mark, "\(value.typeName) has no field `.\(name)`")
            }
            guard let field = fields[name] else {
                let nearest = Suggestion.nearest(to: name, among: fields.keys.sorted())
                throw TemplateProblem(
                    operand.mark, "there is no field `.\(name)`", note: nearest.map { "did you mean `.\($0)`?" })
            }
            value = field
        }
        return value
    }
}
