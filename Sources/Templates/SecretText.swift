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
        case text(String)
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
                case .text(let text): JSONText.quote(text)
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
    func text(_ value: (SecretReference) throws -> String, budget: TemplateBudget) throws -> String {
        switch self {
        case .secret(let secret): return try value(secret)
        case .call(let function, let arguments):
            let values = try arguments.map { argument -> TemplateValue in
                switch argument {
                case .text(let text): .text(text)
                case .number(let number): .number(number)
                case .boolean(let isTrue): .boolean(isTrue)
                case .secret(let text): .text(try text.text(value, budget: budget))
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

    func call(
        _ arguments: [TemplateValue], _ mark: Mark, budget: TemplateBudget
    ) throws(TemplateProblem) -> String {
        let call = TemplateCall(name: rawValue, arguments: arguments, mark: mark, budget: budget)
        switch self {
        case .lower: return try call.textToChange().lowercased()
        case .upper: return try call.textToChange().uppercased()
        case .trim: return try call.textToChange().trimmingWhitespace
        case .print: return try call.joined(arguments, separator: "")
        case .println: return try call.joined(arguments, separator: " ") + "\n"
        case .printf: return try call.formatted()
        }
    }
}

extension TemplateCall {
    /// The call of a function that gets a secret.
    ///
    /// - Throws: `TemplateProblem` if only the value could tell what it gives.
    func withSecrets() throws(TemplateProblem) -> TemplateValue {
        guard let function = SecretFunction(rawValue: name) else {
            throw TemplateProblem(
                mark, "`\(name)` would need the value of a secret, and planning reads none",
                note:
                    "a secret can be written as it is, and by \(SecretFunction.allCases.map(\.rawValue).joined(separator: ", "))"
            )
        }
        if function == .printf, case .secret? = arguments.first {
            throw TemplateProblem(
                mark, "`printf` would need the value of a secret as its format, and planning reads none",
                note: "`printf \"%s\"` writes it as it is")
        }
        var given: [SecretText.Argument] = []
        var stand: [TemplateValue] = []
        for argument in arguments {
            switch argument {
            case .text(let text): given.append(.text(text))
            case .number(let number): given.append(.number(number))
            case .boolean(let isTrue): given.append(.boolean(isTrue))
            case .secret(let text): given.append(.secret(text))
            // As it is printed.
            case .none, .list, .fields: given.append(.text(try joined([argument], separator: "")))
            }
            if case .secret = argument { stand.append(.text("secret")) } else { stand.append(argument) }
        }
        // What is wrong with the call is wrong with every value.
        _ = try function.call(stand, mark, budget: budget)
        let text = SecretText.call(function, given)
        guard text.count <= SecretText.maximumParts else {
            throw TemplateProblem(mark, "more than \(SecretText.maximumParts) secrets and functions make one text")
        }
        return .secret(text)
    }
}
