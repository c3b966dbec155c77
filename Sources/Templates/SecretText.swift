public import Model
internal import YAML

/// A text in which the value of a secret stands, without the value: what a template computes with if it asks for a secret,
/// and what a sealed file writes down.
///
/// Only functions that make a text of a text can be called with it, and they are called when the value is at hand.
public indirect enum SecretText: Equatable, Sendable {
    case secret(SecretReference)
    case call(SecretFunction, [Argument])

    /// What a function gets.
    public enum Argument: Equatable, Sendable {
        case text([UInt8])
        case number(Int)
        case boolean(Bool)
        case secret(SecretText)
    }

    /// Secrets and calls that a text may have; as many as there are, so that what is written down stays small.
    static let maximumParts = 200

    /// How many secrets and calls it has.
    var count: Int {
        switch self {
        case .secret: 1
        case .call(_, let arguments):
            arguments.reduce(1) { count, argument in
                if case .secret(let text) = argument { count + text.count } else { count + 1 }
            }
        }
    }

    /// Whether it may turn out to be empty: a stored secret never is.
    var mayBeEmpty: Bool {
        switch self {
        case .secret: false
        case .call(let function, let arguments):
            switch function {
            case .trim: true
            case .println: false
            case .upper, .lower, .print:
                arguments.allSatisfy { argument in
                    switch argument {
                    case .secret(let text): text.mayBeEmpty
                    case .text(let text): text.isEmpty
                    case .number, .boolean: false
                    }
                }
            case .printf: true
            }
        }
    }

    /// For people: `name` stands in the place of each secret, and functions stand before what they are called with.
    func shown(_ name: (SecretReference) -> String) -> String {
        switch self {
        case .secret(let secret): return name(secret)
        case .call(let function, let arguments):
            let words = arguments.map { argument in
                switch argument {
                case .text(let text): JSONText.quote(String(decoding: text, as: UTF8.self))
                case .number(let number): String(number)
                case .boolean(let isTrue): String(isTrue)
                case .secret(.secret(let secret)): name(secret)
                case .secret(let text): "(\(text.shown(name)))"
                }
            }
            return ([function.rawValue] + words).joined(separator: " ")
        }
    }

    /// The secrets in it, in the order of the text.
    public var secrets: [SecretReference] {
        switch self {
        case .secret(let secret): [secret]
        case .call(_, let arguments):
            arguments.flatMap { argument -> [SecretReference] in
                if case .secret(let text) = argument { text.secrets } else { [] }
            }
        }
    }

    /// The same text with other fingerprints.
    ///
    /// - Returns: nil if `fingerprint` knows none for a secret.
    func bound(to fingerprint: (SecretName) -> SecretFingerprint?) -> SecretText? {
        switch self {
        case .secret(let secret):
            return fingerprint(secret.name).map { .secret(SecretReference(name: secret.name, fingerprint: $0)) }
        case .call(let function, let arguments):
            var bound: [Argument] = []
            for argument in arguments {
                guard case .secret(let text) = argument else {
                    bound.append(argument)
                    continue
                }
                guard let text = text.bound(to: fingerprint) else { return nil }
                bound.append(.secret(text))
            }
            return .call(function, bound)
        }
    }

    /// The text with the values.
    ///
    /// - Throws: what `value` throws; `SealedFileProblem` if a function cannot be called with a value.
    func text(_ value: (SecretReference) throws -> String, budget: TemplateBudget) throws -> TextBytes {
        switch self {
        case .secret(let secret): return Array(try value(secret).utf8)
        case .call(let function, let arguments):
            let values = try arguments.map { argument -> TemplateValue in
                switch argument {
                case .text(let text): .bytes(text)
                case .number(let number): .number(number)
                case .boolean(let isTrue): .boolean(isTrue)
                case .secret(let text): .bytes(try text.text(value, budget: budget))
                }
            }
            do throws(TemplateProblem) {
                return try function.call(values, Mark(line: 1, column: 1), budget: budget)
            } catch {
                throw SealedFileProblem(error.message)
            }
        }
    }
}

/// Functions of templates that make a text of texts, so that they can be called when a secret's value is at hand.
public enum SecretFunction: String, Sendable, CaseIterable {
    case lower, print, printf, println, trim, upper

    private var function: TemplateFunction {
        switch self {
        case .lower: .lower
        case .print: .print
        case .printf: .printf
        case .println: .println
        case .trim: .trim
        case .upper: .upper
        }
    }

    func call(
        _ arguments: [TemplateValue], _ mark: Mark, budget: TemplateBudget
    ) throws(TemplateProblem) -> TextBytes {
        if let problem = function.problem(ofCount: arguments.count) { throw TemplateProblem(mark, problem) }
        let call = TemplateCall(function: function, arguments: arguments, mark: mark, budget: budget)
        switch self {
        case .lower: return try call.textToChange().lowercased
        case .upper: return try call.textToChange().uppercased
        case .trim: return try call.textToChange().trimmed
        // The blanks of `print` are among its arguments, as `withSecrets` has put them there.
        case .print:
            return try call.joined(
                try arguments.map { argument throws(TemplateProblem) in .bytes(try call.shown(argument)) })
        case .println: return try call.line()
        case .printf: return try call.formatted()
        }
    }
}

extension TemplateCall {
    /// The call of a function that gets a secret.
    ///
    /// - Throws: `TemplateProblem` if only the value could tell what it gives.
    func withSecrets() throws(TemplateProblem) -> TemplateValue {
        guard let function = SecretFunction(rawValue: function.rawValue) else {
            throw wrong(
                "would need the value of a secret, and planning reads none",
                note:
                    "a secret can be written as it is, and by \(SecretFunction.allCases.map(\.rawValue).joined(separator: ", "))"
            )
        }
        if function == .printf, case .secret? = arguments.first {
            throw wrong(
                "would need the value of a secret as its format, and planning reads none",
                note: "`printf \"%s\"` writes it as it is")
        }
        let given = try written(for: function)
        let (values, simple) = (arguments.map(\.standIn), given.map(\.standIn))
        // What is wrong with the call is wrong with every value.
        let expected = function == .print ? try joined(values) : try function.call(values, mark, budget: budget)
        guard try function.call(simple, mark, budget: budget) == expected else {
            throw wrong(
                "shows a list or nothing beside a secret, and knows only `%s` and `%v` for that",
                note: "set a variable to what is shown of it")
        }
        let text = SecretText.call(function, given)
        guard text.count <= SecretText.maximumParts else {
            throw TemplateProblem(mark, "more than \(SecretText.maximumParts) secrets and functions make one text")
        }
        return .secret(text)
    }

    /// The arguments as they are written down. Blanks that `print` puts between two of them are an argument, too.
    private func written(for function: SecretFunction) throws(TemplateProblem) -> [SecretText.Argument] {
        var given: [SecretText.Argument] = []
        for (index, argument) in arguments.enumerated() {
            if function == .print, index > 0, Self.isApart(arguments[index - 1], argument) {
                given.append(.text([0x20]))
            }
            switch argument {
            case .bytes(let text): given.append(.text(text))
            case .number(let number): given.append(.number(number))
            case .boolean(let isTrue): given.append(.boolean(isTrue))
            case .secret(let text): given.append(.secret(text))
            // As they are printed.
            case .none, .list, .byte, .fields, .refused: given.append(.text(try joined([argument])))
            }
        }
        return given
    }
}

extension TemplateValue {
    /// A value in the place of a secret.
    fileprivate var standIn: TemplateValue { if case .secret = self { .text("secret") } else { self } }
}

extension SecretText.Argument {
    fileprivate var standIn: TemplateValue {
        switch self {
        case .text(let text): .bytes(text)
        case .number(let number): .number(number)
        case .boolean(let isTrue): .boolean(isTrue)
        case .secret: .text("secret")
        }
    }
}
