internal import YAML

/// Calls the functions of templates.
struct TemplateFunctions {
    let values: any TemplateValues
    let budget: TemplateBudget
    /// Takes what is missing; nil if the first of it ends the rendering.
    let misses: TemplateMisses?

    func call(
        _ function: TemplateFunction, _ arguments: [TemplateValue], _ mark: Mark
    ) throws(TemplateProblem) -> TemplateValue {
        let call = TemplateCall(function: function, arguments: arguments, mark: mark, budget: budget)
        if function != .not, arguments.contains(where: \.isSecret) { return try call.withSecrets() }
        switch function {
        case .get, .getJob, .getJobOptional, .getJobWorker, .getJobWorkerOptional, .getOptional, .getSecret, .getWorker,
            .getWorkerOptional, .keys:
            return try stored(call)
        case .split: return .list(try call.parts())
        case .join: return .bytes(try call.joinedList())
        case .trim: return .bytes(try call.textToChange().trimmed)
        case .upper: return .bytes(try call.textToChange().uppercased)
        case .lower: return .bytes(try call.textToChange().lowercased)
        case .add: return try call.arithmetic { $0.addingReportingOverflow($1) }
        case .sub: return try call.arithmetic { $0.subtractingReportingOverflow($1) }
        case .mul: return try call.arithmetic { $0.multipliedReportingOverflow(by: $1) }
        case .div: return try call.arithmetic { $0.dividedReportingOverflow(by: $1) }
        case .min: return try call.arithmetic { (Swift.min($0, $1), false) }
        case .max: return try call.arithmetic { (Swift.max($0, $1), false) }
        case .int: return .number(try call.integer())
        case .len: return .number(try call.length())
        case .index: return try call.item()
        case .slice: return try call.sliced()
        case .not: return .boolean(!(try arguments[0].truth(mark)))
        case .eq, .ne, .lt, .le, .gt, .ge: return .boolean(try call.compared())
        case .print: return .bytes(try call.joined(arguments))
        case .println: return .bytes(try call.line())
        case .printf: return .bytes(try call.formatted())
        case .html: return .bytes(try call.escaped(growth: 5, TextEscaping.html))
        case .js: return .bytes(try call.escaped(growth: 6, TextEscaping.javaScript))
        case .urlquery: return .bytes(try call.escaped(growth: 3, TextEscaping.query))
        // `Rendering` decides which of their arguments are computed.
        case .and, .or: return .none
        }
    }

    private func stored(_ call: TemplateCall) throws(TemplateProblem) -> TemplateValue {
        let keys: [String]
        do throws(TemplateRefusal) {
            switch call.function {
            case .keys: keys = try values.keys(try call.key(0))
            case .getSecret: return .secret(.secret(try values.secret(try call.key(0))))
            case .getJob, .getJobOptional:
                let job = call.arguments.count == 2 ? try call.key(0) : nil
                return try value(values.namespace(ofJob: job), try call.key(call.arguments.count - 1), call)
            case .getJobWorker, .getJobWorkerOptional:
                return try value(values.allocationNamespace, try call.key(0), call)
            case .getWorker, .getWorkerOptional: return try value(values.workerNamespace, try call.key(0), call)
            case _: return try value(try call.key(0), try call.key(1), call)
            }
        } catch {
            let problem = TemplateProblem(call.mark, error.message, note: error.note)
            guard let misses else { throw problem }
            misses.add(problem)
            return call.function == .keys ? .texts([]) : TemplateMisses.standIn
        }
        // The texts themselves are shared with the store.
        try budget.build(0, items: keys.count, call.mark)
        return .texts(keys)
    }

    private func value(
        _ namespace: String, _ key: String, _ call: TemplateCall
    ) throws(TemplateRefusal) -> TemplateValue {
        if let value = try values.value(namespace, key) { return value }
        switch call.function {
        case .getOptional, .getJobOptional, .getJobWorkerOptional, .getWorkerOptional: return .text("")
        case let function:
            let optional = "`\(function.rawValue)Optional` is empty where there is none"
            throw TemplateRefusal(
                "there is no key \(key) in \(namespace)",
                note: values.setter(of: key, in: namespace).map { "\($0); \(optional)" } ?? optional)
        }
    }
}
