/// A value that was read from YAML or JSON, and where it stood.
///
/// Both readers give the same nodes: a JSON string is a scalar that is not plain; JSON's numbers, `true`, `false` and
/// `null` are plain scalars. Decode nodes with ``Reader``, which knows what a plain scalar means.
public struct Node: Sendable {
    /// Where the value begins; for a mapping in block style, where its first key begins.
    public let mark: Mark
    public let value: Value

    /// A scalar or a collection.
    public enum Value: Sendable {
        /// The text without quotes and escapes. `isPlain` is false where quotes or a block scalar made it text
        /// whatever it looks like.
        case scalar(text: String, isPlain: Bool)
        case sequence([Node])
        /// In the order of the file. Keys are scalars, and no text occurs twice among them.
        case mapping([Entry])
    }

    /// One `key: value` of a mapping.
    public struct Entry: Sendable {
        /// Always a scalar.
        public let key: Node
        public let value: Node

        public init(key: Node, value: Node) {
            self.key = key
            self.value = value
        }

        /// The text of the key.
        public var name: String { key.text ?? "" }
    }

    /// A value that stood, or shall seem to stand, at a place.
    public init(_ value: Value, at mark: Mark) {
        self.value = value
        self.mark = mark
    }

    /// The text of a scalar, quoted or plain; nil for collections.
    public var text: String? {
        if case .scalar(let text, _) = value { text } else { nil }
    }

    /// What the value is, by YAML's rules.
    public var kind: Kind {
        switch value {
        case .scalar(let text, let isPlain): isPlain ? Kind(plain: text) : .text
        case .sequence: .sequence
        case .mapping: .mapping
        }
    }

    /// What a value is; dates are text.
    public enum Kind: Sendable, Hashable {
        case null, boolean, number, text, sequence, mapping
    }
}
