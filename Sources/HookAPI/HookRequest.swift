internal import YAML

/// A request as it came, whole.
struct HookRequest: Sendable {
    enum Method: String, Sendable {
        case get = "GET"
        case put = "PUT"
        case delete = "DELETE"
        case post = "POST"
    }

    /// Nil where it is another one.
    var method: Method?
    /// Without the query.
    var path: String
    /// What follows `?`, percent-encoded.
    var query: String
    /// `Bearer` of the authorization; nil where there is none.
    var token: String?
    /// `X-ALLOCATION-ID`, which Maand's helpers send.
    var allocationID: String?
    var body: [UInt8]

    /// The first value of a name in the query.
    func parameter(_ name: String) -> String? {
        for part in query.split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.count == 2, Self.decoded(pair[0]) == name { return Self.decoded(pair[1]) }
        }
        return nil
    }

    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(0x20)
            case UInt8(ascii: "%"):
                guard rest.count >= 2, let digits = String(rest.prefix(2)), let value = UInt8(digits, radix: 16) else {
                    return nil
                }
                bytes.append(value)
                rest = rest.dropFirst(2)
            case _: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

/// The fields of a request's body, a JSON object.
struct HookFields {
    private let entries: [Node.Entry]

    /// - Throws: `HookAnswer.Refusal` where the body is no JSON object. An empty one has no fields.
    init(_ body: [UInt8]) throws(HookAnswer.Refusal) {
        if body.isEmpty {
            entries = []
            return
        }
        do {
            let root = try JSONDocument.parse(body, file: "the request's body")
            guard case .mapping(let entries) = root.value else {
                throw HookAnswer.Refusal(.badRequest, "the body has to be a JSON object")
            }
            self.entries = entries
        } catch let failure as InputFailure {
            // The excerpt of a diagnostic would show what may be a secret.
            let mark = failure.diagnostics.first?.mark
            throw HookAnswer.Refusal(
                .badRequest,
                "the body is not valid JSON" + (mark.map { " (line \($0.line), column \($0.column))" } ?? ""))
        } catch {
            throw HookAnswer.Refusal(.badRequest, "the body has to be a JSON object")
        }
    }

    func text(_ name: String) throws(HookAnswer.Refusal) -> String? {
        guard let value = node(name) else { return nil }
        guard value.kind == .text, let text = value.text else {
            throw HookAnswer.Refusal(.badRequest, "`\(name)` has to be a text")
        }
        return text
    }

    func integer(_ name: String) throws(HookAnswer.Refusal) -> Int? {
        guard let value = node(name) else { return nil }
        guard value.kind == .number, let number = value.text.flatMap({ Int($0) }) else {
            throw HookAnswer.Refusal(.badRequest, "`\(name)` has to be a whole number")
        }
        return number
    }

    private func node(_ name: String) -> Node? {
        entries.first { $0.name == name }.map(\.value).flatMap { $0.kind == .null ? nil : $0 }
    }
}
