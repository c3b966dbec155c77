public import Model
internal import Windows
internal import YAML

/// A text of some form.
struct TextType: FieldType {
    let format: TextFormat

    init(_ format: TextFormat) { self.format = format }

    func read(_ node: Node, _ reader: Reader) -> String? {
        guard let text = reader.string(node) else { return nil }
        // It may become an argument of a command, which a NUL would cut.
        if format.refusesNUL, text.utf8.contains(0) {
            reader.error(node, "a NUL character is not allowed here")
            return nil
        }
        if let problem = format.problem(text) {
            reader.error(node, problem, note: format.note)
            return nil
        }
        return text
    }

    func write(_ value: String, as place: Place, to out: inout Emitter) { out.scalar(place, .string(value)) }

    func json(_ value: String) -> JSON? { .string(value) }

    func schema(_ book: inout SchemaBook, isLowestLeftOut: Bool) -> JSON {
        let json = format.pattern.map { JSON.object([("type", .string("string")), ("pattern", .string($0))]) }
        let text = json ?? .object([("type", .string("string"))])
        guard isLowestLeftOut else { return text }
        return .object([("allOf", .array([text, .object([("minLength", .int(1))])]))])
    }

    var words: String { format.words }

    func collect(_ name: String, _ value: String, into texts: inout FieldTexts) { texts.add(name, value) }
}

extension FieldType where Self == TextType {
    static func text(_ format: TextFormat) -> Self { TextType(format) }
}

extension String: FieldValue {
    static var fieldType: TextType { TextType(.plain) }
}

/// What a text has to look like.
struct TextFormat: Sendable {
    /// For the reference, such as `a version`.
    var words: String
    /// A regular expression for the schema, as strict as one can be.
    var pattern: String?
    /// Goes with the problem.
    var note: String?
    var refusesNUL = true
    /// What is wrong with a text; nil if nothing is.
    var problem: @Sendable (String) -> String? = { _ in nil }

    /// Any text but NUL.
    static let plain = TextFormat(words: "a text", pattern: #"^[^\u0000]*$"#)
    /// Any text at all.
    static let any = TextFormat(words: "a text", refusesNUL: false)

    static let version = TextFormat(
        words: "a version", pattern: "^[0-9A-Za-z._+~:-]{1,128}$", note: Version.characters,
        problem: { Version($0) == nil ? "a version has one to three numbers, such as \"2.1.0\"" : nil })

    static let address = TextFormat(
        words: "an address", pattern: Name<Never>.pattern,
        problem: {
            Name<Never>($0) == nil
                ? "an address consists of letters, digits and `._:-`, and does not begin with `-`" : nil
        })

    /// A path below some folder.
    static let path = TextFormat(
        words: "a path", pattern: #"^[^\u0000]*$"#, problem: { TreePath.problem($0).map { "the path \($0)" } })

    static let absolutePath = TextFormat(
        words: "an absolute path", pattern: #"^/[^\u0000]*$"#,
        problem: {
            $0.hasPrefix("/") && TreePath.problem(String($0.dropFirst())) == nil
                ? nil : "this has to be an absolute path without `.` and `..`"
        })

    static let generation = TextFormat(
        words: "an id", pattern: #"^(?=.{1,128}$)[A-Za-z0-9]+(\.[A-Za-z0-9]+)+$"#,
        problem: {
            Machine.isGeneration($0) ? nil : "a generation of receipts is letters and digits, with dots between"
        })

    /// A command's name; it becomes part of step ids and of paths.
    static let command = TextFormat(
        words: "`command_<name>` or `hook_<name>`", pattern: "^(command|hook)_[A-Za-z0-9._:-]{0,120}$",
        problem: {
            HookScript.folder(of: $0) != nil && Name<Never>($0) != nil
                ? nil : "a command is called command_<name> or hook_<name>, of letters, digits and `._:-`"
        })

    /// The file of a command: its name, with one of the endings that scripts have.
    static let script = TextFormat(
        words: "a file name", pattern: "^(command|hook)_[A-Za-z0-9._:-]{0,123}$",
        problem: {
            HookScript.folder(of: $0) != nil && !$0.contains("/")
                ? nil : "`script` is the command's name, with one of the endings that scripts have"
        })

    /// A target of a Makefile, as Maand takes one.
    static let target = TextFormat(
        words: "the name of a target", pattern: "^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$",
        problem: {
            TargetName.isValid($0)
                ? nil : "the name of a target is letters, digits and `_.-`, and begins with a letter or digit"
        })

    static let zone = TextFormat(
        words: "the name of a zone", pattern: "^[A-Za-z0-9_+/-]{1,64}$", note: "such as Europe/Berlin",
        problem: { ZoneDatabase.isName($0) ? nil : "this cannot be the name of a zone" })
}

/// A value that has one text.
protocol FieldText: Equatable {
    init?(fieldText: String)
    var fieldText: String { get }
    static var format: TextFormat { get }
    /// The definition's name in the schema.
    static var title: String { get }
}

/// A value with one text, as a field.
struct ParsedType<Value: FieldText>: FieldType {
    func read(_ node: Node, _ reader: Reader) -> Value? {
        guard let text = reader.string(node) else { return nil }
        if let value = Value(fieldText: text) { return value }
        let format = Value.format
        reader.error(node, format.problem(text) ?? "expected \(format.words)", note: format.note)
        return nil
    }

    func write(_ value: Value, as place: Place, to out: inout Emitter) { out.scalar(place, .string(value.fieldText)) }

    func json(_ value: Value) -> JSON? { .string(value.fieldText) }

    func schema(_ book: inout SchemaBook, isLowestLeftOut: Bool) -> JSON {
        book.reference(to: Value.title, TextType(Value.format))
    }

    var words: String { Value.format.words }

    func collect(_ name: String, _ value: Value, into texts: inout FieldTexts) { texts.add(name, value.fieldText) }
}

extension FieldValue where Self: FieldText {
    static var fieldType: ParsedType<Self> { ParsedType() }
}

extension Name: FieldText, FieldValue {
    /// What all names match.
    static var pattern: String { #"^(?!-)(?!\.{1,2}$)[A-Za-z0-9._:-]{1,128}$"# }

    init?(fieldText: String) { self.init(fieldText) }
    var fieldText: String { text }
    static var title: String { "name" }
    static var format: TextFormat {
        TextFormat(
            words: "a name", pattern: pattern,
            problem: { _ in "a name consists of letters, digits and `._:-`, and does not begin with `-`" })
    }

    /// What a record has before it is read.
    package static var blank: Self {
        guard let name = Self("blank") else { preconditionFailure("this is a name") }
        return name
    }
}

extension Digest: FieldText, FieldValue {
    init?(fieldText: String) { self.init(fieldText) }
    var fieldText: String { description }
    static var title: String { "digest" }
    static var format: TextFormat {
        TextFormat(
            words: "a digest", pattern: "^sha256:[0-9a-f]{64}$",
            problem: { _ in "expected `sha256:` and 64 hexadecimal digits" })
    }

    /// What a record has before it is read.
    static let blank = Digest.of([UInt8]())
}

extension SecretFingerprint: FieldText, FieldValue {
    init?(fieldText: String) { self.init(fieldText) }
    var fieldText: String { description }
    static var title: String { "fingerprint" }
    static var format: TextFormat {
        TextFormat(
            words: "a fingerprint", pattern: "^hmac:[0-9a-f]{64}$",
            problem: { _ in "expected `hmac:` and 64 hexadecimal digits" })
    }

    /// What a record has before it is read.
    static var blank: Self {
        guard let blank = Self(hex: String(repeating: "0", count: 64)) else { preconditionFailure("these are digits") }
        return blank
    }
}

extension HostCount: FieldText, FieldValue {
    init?(fieldText: String) { self.init(fieldText) }
    var fieldText: String { text }
    static var title: String { "hosts" }
    static var format: TextFormat {
        TextFormat(
            words: "a number of hosts, or a share such as `5%`", pattern: "^(0|[1-9][0-9]{0,6}|(100|[1-9]?[0-9])%)$",
            problem: { _ in "`max_unreachable` is a number of hosts, or a share of them such as \"2%\"" })
    }
}
