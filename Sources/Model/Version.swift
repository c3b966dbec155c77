internal import YAML

/// A semver-like version of a job, as Maand reads it: `1.0.0`, `v2.1` (2.1.0), `3` (3.0.0), `2.0.0-rc1`.
///
/// One to three numeric segments, an optional `v` before, an optional pre-release after `-` and an optional build after
/// `+`. What the manifest spelled is kept in `text`, since Makefiles see it; comparison uses the parsed parts.
///
/// This is the rule for every version, wherever it comes from: manifests, plans, catalogs and workers. Versions reach
/// Makefiles and hooks, so a text has at most `limit` bytes, all of them letters, digits or `._+~:-`.
public struct Version: Hashable, Sendable, CustomStringConvertible {
    /// As it was spelled.
    public let text: String
    private let segments: [Int]
    private let preRelease: [String]

    /// What an allocation that was never promoted reports as its current version (Maand case `first-deploy`).
    public static let none = Version(text: "0.0.0", segments: [0, 0, 0], preRelease: [])

    /// Most bytes of a version.
    public static let limit = 128

    /// What a version is made of, for messages.
    public static let characters = "it consists of letters, digits and `._+~:-`, at most \(limit) of them"

    /// Whether a text is a version.
    public static func isValid(_ text: String) -> Bool { Version(text) != nil }

    /// The version, or nil where `text` is empty, too long, has a character that no version has, other than one to three
    /// segments, or one that is no number.
    public init?(_ text: String) {
        guard text.utf8.count <= Self.limit, text.utf8.allSatisfy(Self.isAllowed) else { return nil }
        var rest = text[...]
        if rest.first == "v" || rest.first == "V" { rest = rest.dropFirst() }
        if let plus = rest.firstIndex(of: "+") { rest = rest[..<plus] }
        var preRelease: [String] = []
        if let dash = rest.firstIndex(of: "-") {
            preRelease = rest[rest.index(after: dash)...].split(separator: ".", omittingEmptySubsequences: false)
                .map(String.init)
            guard preRelease.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(Self.isIdentifier) }) else { return nil }
            rest = rest[..<dash]
        }
        let parts = rest.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...3).contains(parts.count) else { return nil }
        var segments: [Int] = []
        for part in parts {
            guard !part.isEmpty, part.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(part) else {
                return nil
            }
            segments.append(number)
        }
        while segments.count < 3 { segments.append(0) }
        self.init(text: text, segments: segments, preRelease: preRelease)
    }

    private init(text: String, segments: [Int], preRelease: [String]) {
        self.text = text
        self.segments = segments
        self.preRelease = preRelease
    }

    public var description: String { text }

    /// The version with all three segments and without `v`: `v2.1` is `2.1.0`.
    public var normalized: String {
        let release = segments.map(String.init).joined(separator: ".")
        return preRelease.isEmpty ? release : release + "-" + preRelease.joined(separator: ".")
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "~"), UInt8(ascii: ":"): true
        default: isIdentifier(byte)
        }
    }

    private static func isIdentifier(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122, UInt8(ascii: "-"): true
        default: false
        }
    }
}

extension Version {
    /// What the bytes of a `manifest.json` give as its version: `none` where they are no JSON object, have no such field, or say
    /// nothing in it; nil where the field is there and is no version. Planning reads a manifest by the same rules: the field's
    /// name has any case, and blanks around the version do not count.
    public static func text(inManifest bytes: [UInt8]) -> String? {
        guard case .mapping(let entries)? = try? JSONDocument.parse(bytes, file: "manifest.json").value,
            let node = entries.first(where: { $0.name.lowercased() == "version" })?.value, node.kind != .null
        else { return none.text }
        guard node.kind == .text, let text = node.text?.trimmingWhitespace else { return nil }
        if text.isEmpty { return none.text }
        return isValid(text) ? text : nil
    }
}

extension Version: Comparable {
    /// Two spellings of one version (`v1` and `1.0.0`) are the same version here, and different contents elsewhere.
    public static func < (a: Self, b: Self) -> Bool {
        if a.segments != b.segments { return a.segments.lexicographicallyPrecedes(b.segments) }
        // semver.org, item 11: a pre-release precedes its release; identifiers compare one by one.
        if a.preRelease.isEmpty || b.preRelease.isEmpty { return !a.preRelease.isEmpty && b.preRelease.isEmpty }
        for (x, y) in zip(a.preRelease, b.preRelease) where x != y {
            switch (Int(x), Int(y)) {
            case (let m?, let n?): return m < n
            case (.some, nil): return true
            case (nil, .some): return false
            case (nil, nil): return x.utf8.lexicographicallyPrecedes(y.utf8)
            }
        }
        return a.preRelease.count < b.preRelease.count
    }
}
