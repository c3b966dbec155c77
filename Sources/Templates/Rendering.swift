internal import Model
internal import YAML

/// One template as it becomes a text.
struct Rendering {
    let named: [TextBytes: [TemplateNode]]
    let functions: TemplateFunctions
    let budget: TemplateBudget
    private var output: TextBytes = []
    /// What comes before `output`, up to the last secret.
    private var sealed: [SealedFile.Part] = []
    /// Bytes that `sealed` takes.
    private var sealedSize = 0
    /// Innermost last.
    private var variables: [(name: String, value: TemplateValue)] = []
    private var depth = 0

    init(named: [TextBytes: [TemplateNode]], functions: TemplateFunctions, budget: TemplateBudget) {
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

    mutating func run(_ nodes: [TemplateNode], dot: TemplateValue) throws(TemplateProblem) -> Flow {
        if depth == 0 { variables = [("$", dot)] }
        depth += 1
        defer { depth -= 1 }
        for node in nodes {
            let flow: Flow
            if let misses = functions.misses { flow = goOn(node, dot, misses) } else { flow = try run(node, dot) }
            if flow != .next { return flow }
        }
        return .next
    }

    /// The same for one part, and what is wrong with it does not keep the following ones from being looked at.
    private mutating func goOn(_ node: TemplateNode, _ dot: TemplateValue, _ misses: TemplateMisses) -> Flow {
        do throws(TemplateProblem) {
            return try run(node, dot)
        } catch {
            misses.addUnlessItFollows(error)
            return .next
        }
    }

    private mutating func run(_ node: TemplateNode, _ dot: TemplateValue) throws(TemplateProblem) -> Flow {
        switch node {
        case .text(let text): output += text
        case .output(let pipeline):
            let value = try value(pipeline, dot)
            try check(pipeline.mark)
            if pipeline.variables.isEmpty { try write(value, pipeline.mark) }
        case .condition(let pipeline, let then, let otherwise):
            let scope = variables.count
            defer { variables.removeSubrange(scope...) }
            return try run(value(pipeline, dot).truth(pipeline.mark) ? then : otherwise, dot: dot)
        case .with(let pipeline, let body, let otherwise):
            let scope = variables.count
            defer { variables.removeSubrange(scope...) }
            let value = try value(pipeline, dot)
            return try value.truth(pipeline.mark) ? run(body, dot: value) : run(otherwise, dot: dot)
        case .range(let pipeline, let body, let otherwise): return try repeated(pipeline, body, otherwise, dot)
        case .call(let name, let argument, let mark): try call(name, argument, dot, mark)
        case .leave(let isBreak): return isBreak ? .breaks : .continues
        }
        return .next
    }

    private mutating func call(
        _ name: TextBytes, _ argument: Pipeline?, _ dot: TemplateValue, _ mark: Mark
    ) throws(TemplateProblem) {
        guard let nodes = named[name] else {
            throw TemplateProblem(mark, "there is no template \"\(String(decoding: name, as: UTF8.self))\"")
        }
        let argument = try argument.map { pipeline throws(TemplateProblem) in try value(pipeline, dot) } ?? .none
        try budget.step(1, mark)
        try check(mark)
        let outer = variables
        // Also where the template fails: those who called it remove what they declared themselves.
        defer { variables = outer }
        variables = [("$", argument)]
        _ = try run(nodes, dot: argument)
    }

    // MARK: Output

    private mutating func write(_ value: TemplateValue, _ mark: Mark) throws(TemplateProblem) {
        if case .secret(let text) = value { return try write(text, mark) }
        if case .list(let items) = value { try budget.step(items.count, mark) }
        try check(mark, more: value.printedSize)
        guard let printed = value.printed else { throw TemplateProblem(mark, "\(value.typeName) cannot be printed") }
        output += printed
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

    /// - Parameter more: bytes that are about to become a part of the output.
    private func check(_ mark: Mark, more: Int = 0) throws(TemplateProblem) {
        if sealedSize + output.count + more > Template.maximumOutput {
            throw TemplateProblem(mark, "the template becomes larger than \(Template.maximumOutput >> 20) MiB")
        }
        if depth > TemplateBudget.maximumDepth {
            throw TemplateProblem(mark, "templates call each other more than \(TemplateBudget.maximumDepth) deep")
        }
    }

    // MARK: range

    private mutating func repeated(
        _ pipeline: Pipeline, _ body: [TemplateNode], _ otherwise: [TemplateNode], _ dot: TemplateValue
    ) throws(TemplateProblem) -> Flow {
        let scope = variables.count
        defer { variables.removeSubrange(scope...) }
        // As in Go, the variables have the whole value until there is an item, and after it if there is none.
        let value = try value(pipeline, dot)
        let top = variables.count
        let count = try count(of: value, pipeline)
        if count == 0 {
            let flow = try run(otherwise, dot: dot)
            // In Go, `break` after `else` ends this `range`, and `continue` goes to the one around it.
            return flow == .breaks ? .next : flow
        }
        for index in 0..<count {
            let item: TemplateValue
            switch value {
            case .list(let items): item = .bytes(items[index])
            case .byte: item = .byte(UInt8(index))
            case _: item = .number(index)
            }
            let values = pipeline.variables.count == 2 ? [.number(index), item] : [item]
            for (place, (name, value)) in zip(pipeline.variables, values).enumerated() {
                if pipeline.isDeclaration {
                    variables[top - pipeline.variables.count + place].value = value
                } else {
                    try assign(name, value, pipeline.mark)
                }
            }
            try budget.step(1, pipeline.mark)
            try check(pipeline.mark)
            let flow = try run(body, dot: item)
            variables.removeSubrange(top...)
            if flow == .breaks { break }
        }
        return .next
    }

    /// How often `range` repeats.
    private func count(of value: TemplateValue, _ pipeline: Pipeline) throws(TemplateProblem) -> Int {
        let count: Int
        switch value {
        case .list(let items): return items.count
        case .none: return 0
        case .number(let number): count = max(0, number)
        case .byte(let byte): count = Int(byte)
        case .bytes, .boolean, .fields, .secret, .refused:
            throw TemplateProblem(
                pipeline.mark, "`range` goes over a list or counts up to a number, and this is \(value.typeName)")
        }
        if pipeline.variables.count == 2 {
            throw TemplateProblem(pipeline.mark, "`range` over a number sets one variable")
        }
        guard count <= 1_000_000 else {
            throw TemplateProblem(pipeline.mark, "`range` counts up to 1000000, not to \(count)")
        }
        return count
    }

    // MARK: Variables

    private mutating func declare(_ name: String, _ value: TemplateValue, _ mark: Mark) throws(TemplateProblem) {
        guard variables.count < TemplateBudget.maximumVariables else {
            throw TemplateProblem(mark, "more than \(TemplateBudget.maximumVariables) variables are declared here")
        }
        variables.append((name, value))
    }

    private mutating func assign(_ name: String, _ value: TemplateValue, _ mark: Mark) throws(TemplateProblem) {
        variables[try place(of: name, mark)].value = value
    }

    private func place(of name: String, _ mark: Mark) throws(TemplateProblem) -> Int {
        try budget.find(among: variables.count, mark)
        guard let place = variables.lastIndex(where: { $0.name == name }) else {
            throw TemplateProblem(mark, "\(name) was not declared in this branch", note: "declare it before the block")
        }
        return place
    }

    // MARK: Values

    private mutating func value(_ pipeline: Pipeline, _ dot: TemplateValue) throws(TemplateProblem) -> TemplateValue {
        try budget.step(1, pipeline.mark)
        var result: TemplateValue?
        for command in pipeline.commands { result = try value(command, last: result, dot) }
        let value = result ?? .none
        for name in pipeline.variables {
            if pipeline.isDeclaration {
                try budget.find(among: variables.count, pipeline.mark)
                try declare(name, value, pipeline.mark)
            } else {
                try assign(name, value, pipeline.mark)
            }
        }
        return value
    }

    private mutating func value(
        _ command: Command, last: TemplateValue?, _ dot: TemplateValue
    ) throws(TemplateProblem) -> TemplateValue {
        try budget.step(command.operands.count, command.mark)
        let first = command.operands[0]
        guard case .function(let function) = first.kind else { return try value(first, dot) }
        if function == .and || function == .or { return try chosen(function, command, last, dot) }
        var arguments: [TemplateValue] = []
        arguments.reserveCapacity(command.operands.count)
        for operand in command.operands.dropFirst() { arguments.append(try value(operand, dot)) }
        if let last { arguments.append(last) }
        return try functions.call(function, arguments, first.mark)
    }

    /// `and` and `or` look at no more arguments than they need.
    private mutating func chosen(
        _ function: TemplateFunction, _ command: Command, _ last: TemplateValue?, _ dot: TemplateValue
    ) throws(TemplateProblem) -> TemplateValue {
        var result = TemplateValue.none
        for (index, operand) in command.operands.enumerated().dropFirst() {
            result = try value(operand, dot)
            // Nothing depends on whether the last one is true.
            if last == nil, index == command.operands.count - 1 { break }
            if try result.truth(operand.mark) == (function == .or) { return result }
        }
        return last ?? result
    }

    private mutating func value(_ operand: Operand, _ dot: TemplateValue) throws(TemplateProblem) -> TemplateValue {
        var value: TemplateValue
        switch operand.kind {
        case .dot: value = dot
        case .literal(let literal): value = literal
        case .function(let function): value = try functions.call(function, [], operand.mark)
        case .parenthesis(let pipeline): value = try self.value(pipeline, dot)
        case .variable(let name): value = variables[try place(of: name, operand.mark)].value
        }
        for name in operand.fields { value = try field(name, of: value, operand.mark) }
        return value
    }

    private func field(
        _ name: String, of value: TemplateValue, _ mark: Mark
    ) throws(TemplateProblem) -> TemplateValue {
        guard case .fields(let fields) = value else {
            throw TemplateProblem(mark, "\(value.typeName) has no field `.\(name)`")
        }
        guard let field = fields[name] else {
            let nearest = Suggestion.nearest(to: name, among: fields.keys.sorted())
            throw TemplateProblem(
                mark, "there is no field `.\(name)`", note: nearest.map { "did you mean `.\($0)`?" })
        }
        if case .refused(let refusal) = field {
            let problem = TemplateProblem(mark, refusal.message, note: refusal.note)
            functions.misses?.add(problem)
            throw problem
        }
        return field
    }
}
