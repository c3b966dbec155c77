internal import FoundationEssentials

/// The public half of a key, as `NAME.pub` has it: it names a key that an agent holds.
public struct SSHPublicKeyFile: Sendable {
    public let path: String
    let key: SSHHostKey

    /// Nil where the file cannot be read, or is something else.
    public init?(path: String) {
        guard case .success(let bytes) = SmallFile.read(path, limit: 1 << 20) else { return nil }
        let line = bytes.split(separator: 0x0a).first ?? []
        let fields = line.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d })
        guard fields.count >= 2, let data = Data(base64Encoded: String(decoding: fields[1], as: UTF8.self)),
            let key = SSHHostKey(blob: Array(data)), key.type == String(decoding: fields[0], as: UTF8.self)
        else { return nil }
        self.path = path
        self.key = key
    }
}
