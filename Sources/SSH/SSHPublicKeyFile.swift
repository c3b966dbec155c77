/// The public half of a key, as `NAME.pub` has it: it names a key that an agent holds.
public struct SSHPublicKeyFile: Sendable {
    public let path: String
    let key: SSHHostKey

    /// Nil where the file cannot be read, or is something else.
    public init?(path: String) {
        guard case .success(let bytes) = SmallFile.read(path, limit: 1 << 20) else { return nil }
        let line = bytes.split(separator: 0x0a).first ?? []
        let fields = line.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }).prefix(2)
            .map { String(decoding: $0, as: UTF8.self) }
        guard fields.count == 2, let key = SSHHostKey(type: fields[0], base64: fields[1]) else { return nil }
        self.path = path
        self.key = key
    }
}
