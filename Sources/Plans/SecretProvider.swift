internal import YAML

/// Who gives the value of a secret that the catalog does not store.
public enum SecretProvider: Hashable, Sendable {
    /// A program with its arguments; it prints the value.
    case command([String])
    /// A file that holds the value; relative to the bucket's folder.
    case file(String)
    /// A file that `sops` decrypts, and the value's place in it, such as `database.password`; empty for the whole file.
    case sops(file: String, key: String)
    /// A secret of the engine KV version 2 of Vault, such as `secret/data/app`, and the key in it.
    case vault(path: String, key: String)

    /// As plans write it: the kind, then what belongs to it.
    var words: [String] {
        switch self {
        case .command(let words): ["command"] + words
        case .file(let path): ["file", path]
        case .sops(let file, let key): ["sops", file, key]
        case .vault(let path, let key): ["vault", path, key]
        }
    }

    /// Reads `words`; nil for anything else.
    public init?(words: [String]) {
        guard words.count > 1, !words[1].isEmpty else { return nil }
        switch (words[0], words.count) {
        case ("command", _): self = .command(Array(words.dropFirst()))
        case ("file", 2): self = .file(words[1])
        case ("sops", 3): self = .sops(file: words[1], key: words[2])
        case ("vault", 3) where !words[2].isEmpty: self = .vault(path: words[1], key: words[2])
        case _: return nil
        }
    }
}

extension SecretProvider: CustomStringConvertible {
    /// For people.
    public var description: String {
        switch self {
        case .command(let words): "the command `\(words.joined(separator: " "))`"
        case .file(let path): "the file \(path)"
        case .sops(let file, let key): key.isEmpty ? "sops, \(file)" : "sops, \(key) in \(file)"
        case .vault(let path, let key): "Vault, \(key) of \(path)"
        }
    }
}

/// A provider as a field: a list of texts, of which the first is the kind.
struct SecretProviderType: FieldType {
    private static var list: ListType<TextType> { ListType(element: TextType(.plain), minimum: 2) }

    func read(_ node: Node, _ reader: Reader) -> SecretProvider? {
        guard let words = Self.list.read(node, reader) else { return nil }
        if let provider = SecretProvider(words: words) { return provider }
        reader.error(
            node, "this is no provider of a secret",
            note: "`[command, PROGRAM, ARGUMENT...]`, `[file, PATH]`, `[sops, FILE, KEY]` or `[vault, PATH, KEY]`")
        return nil
    }

    func write(_ value: SecretProvider, as place: Place, to out: inout Emitter) {
        Self.list.write(value.words, as: place, to: &out)
    }

    func json(_ value: SecretProvider) -> JSON? { Self.list.json(value.words) }

    func schema(_ book: inout SchemaBook, isLowestLeftOut: Bool) -> JSON {
        Self.list.schema(&book, isLowestLeftOut: isLowestLeftOut)
    }

    var words: String { "list: `command`, `file`, `sops` or `vault`, then what belongs to it" }

    func collect(_ name: String, _ value: SecretProvider, into texts: inout FieldTexts) {
        Self.list.collect(name, value.words, into: &texts)
    }
}

extension SecretProvider: FieldValue {
    static var fieldType: SecretProviderType { SecretProviderType() }
}
