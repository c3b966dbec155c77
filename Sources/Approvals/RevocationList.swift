internal import Foundation

/// A list of keys that count no more, as `ssh-keygen` reads it: a KRL, or public keys in lines.
///
/// `ssh-keygen` takes the keys of a line that it does not understand for none, and says "revoked" of every key where it
/// cannot read on. So a list is checked before it is used.
enum RevocationList {
    /// What is wrong with a list, as the end of a sentence that begins with its path; nil where nothing is.
    static func problem(_ bytes: [UInt8]) -> String? {
        if isKRL(bytes) { return problem(ofKRL: bytes) }
        for (index, line) in bytes.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
            if let problem = problem(ofLine: line) { return ":\(index + 1): \(problem)" }
        }
        return nil
    }

    private static let magic = Array("SSHKRL\n\0".utf8)

    static func isKRL(_ bytes: [UInt8]) -> Bool { bytes.starts(with: magic) }

    /// The sections are `ssh-keygen`'s to judge; here it is only made sure that the file was not cut off.
    private static func problem(ofKRL bytes: [UInt8]) -> String? {
        var rest = bytes.dropFirst(magic.count)
        func take(_ count: Int) -> ArraySlice<UInt8>? {
            guard rest.count >= count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }
        let cutOff = " is a KRL that was cut off"
        // Format, version, date and flags.
        guard let format = take(4), take(24) != nil, string(&rest) != nil, string(&rest) != nil else { return cutOff }
        guard Array(format) == [0, 0, 0, 1] else { return " is a KRL of another format than 1" }
        while !rest.isEmpty {
            guard take(1) != nil, string(&rest) != nil else { return cutOff }
        }
        return nil
    }

    private static func problem(ofLine line: ArraySlice<UInt8>) -> String? {
        var line = line
        if line.last == 0x0d { line = line.dropLast() }
        if line.contains(where: { $0 < 0x20 && $0 != 0x09 }) { return "the line has a control character" }
        let words = line.split(maxSplits: 2) { $0 == 0x20 || $0 == 0x09 }
        guard let first = words.first, first.first != UInt8(ascii: "#") else { return nil }
        guard words.count > 1, let type = String(validating: first, as: UTF8.self), let lengths = keyFields[type] else {
            return "the line is no public key of a kind that is known here; one looks like `ssh-ed25519 AAAA…`"
        }
        guard var blob = Data(base64Encoded: Data(words[1])).map({ Array($0)[...] }), let name = string(&blob),
            name.elementsEqual(type.utf8)
        else {
            return "the line's key is cut off or altered"
        }
        for length in lengths {
            guard let field = string(&blob), !field.isEmpty, length == nil || field.count == length else {
                return "the line's key is cut off or altered"
            }
        }
        return blob.isEmpty ? nil : "the line's key is altered"
    }

    /// What comes after the name in a key of each kind: how many bytes, where that is fixed.
    private static let keyFields: [String: [Int?]] = [
        "ssh-ed25519": [32], "ssh-rsa": [nil, nil], "ecdsa-sha2-nistp256": [8, 65], "ecdsa-sha2-nistp384": [8, 97],
        "ecdsa-sha2-nistp521": [8, 133], "sk-ssh-ed25519@openssh.com": [32, nil],
        "sk-ecdsa-sha2-nistp256@openssh.com": [8, 65, nil],
    ]

    /// Takes a text off the front: four bytes that say how long it is, and itself.
    private static func string(_ bytes: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard bytes.count >= 4 else { return nil }
        let count = bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        guard bytes.count - 4 >= count else { return nil }
        defer { bytes = bytes.dropFirst(4 + count) }
        return bytes.dropFirst(4).prefix(count)
    }
}
