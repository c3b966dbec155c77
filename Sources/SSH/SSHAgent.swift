internal import Dispatch
internal import Glibc

/// A running ssh-agent (draft-miller-ssh-agent): lists its keys and has it sign.
///
/// The agent is asked on a queue of its own, one question at a time, so that one that takes long - it may ask a person -
/// holds up neither the reactor nor the cooperative pool.
public final class SSHAgent: Sendable {
    /// A key that the agent holds.
    public struct Identity: Sendable, Hashable {
        public let key: SSHHostKey
        public let comment: String
    }

    /// Where the agent listens.
    public let socketPath: String
    /// The keys that can be used here, in the agent's order.
    public let identities: [Identity]
    private let queue = DispatchQueue(label: "ssh.agent")

    private init(socketPath: String, identities: [Identity]) {
        self.socketPath = socketPath
        self.identities = identities
    }

    /// Asks an agent for its keys.
    ///
    /// - Parameters:
    ///   - socketPath: usually the value of `SSH_AUTH_SOCK`.
    ///   - chosen: the one key to offer; nil for all.
    /// - Throws: ``SSHError/agent(reason:)`` where the agent cannot be asked or does not hold the key;
    ///   ``SSHError/unsupportedKey(name:reason:remedy:)`` where it only holds keys that this libssh2 cannot use.
    public static func connect(
        socketPath: String, only chosen: SSHPublicKeyFile? = nil
    ) async throws(SSHError) -> SSHAgent {
        if let chosen, let problem = KeyUse(type: chosen.key.type).problem {
            throw .unsupportedKey(name: chosen.path, reason: problem.reason, remedy: problem.remedy)
        }
        let result: Result<[Identity], SSHError> = await withCheckedContinuation { continuation in
            DispatchQueue(label: "ssh.agent.list").async {
                continuation.resume(returning: Result { () throws(SSHError) in try list(socketPath) })
            }
        }
        let all = try result.get()
        guard let first = all.first else { throw .agent(reason: "it holds no key; add one with ssh-add") }
        if let chosen {
            guard let identity = all.first(where: { $0.key == chosen.key }) else {
                throw .agent(
                    reason: "it does not hold the key of \(chosen.path) (\(chosen.key)); add it with ssh-add")
            }
            return SSHAgent(socketPath: socketPath, identities: [identity])
        }
        let usable = all.filter { KeyUse(type: $0.key.type).problem == nil }
        if usable.isEmpty, let problem = KeyUse(type: first.key.type).problem {
            throw .unsupportedKey(
                name: "\(first.comment) of the ssh-agent (\(first.key))", reason: problem.reason,
                remedy: problem.remedy)
        }
        return SSHAgent(socketPath: socketPath, identities: usable)
    }

    /// Has the agent sign; the completion runs on the agent's queue, with the signature without its algorithm's name.
    func sign(
        _ data: [UInt8], with identity: Identity, completion: @escaping @Sendable (Result<[UInt8], SSHError>) -> Void
    ) {
        queue.async { [socketPath] in
            completion(
                Result { () throws(SSHError) in
                    var request = WireWriter()
                    request.byte(Code.signRequest)
                    request.field(identity.key.blob)
                    request.field(data)
                    request.uint32(Self.flags(for: data))
                    var reader = WireReader(try Self.ask(socketPath, request.bytes))
                    guard reader.byte() == Code.signResponse, let signature = reader.field() else {
                        throw .agent(reason: "it did not sign with \(identity.comment)")
                    }
                    var parts = WireReader(signature)
                    guard parts.field() != nil, let bytes = parts.field() else {
                        throw .agent(reason: "its signature cannot be understood")
                    }
                    return bytes
                })
        }
    }

    private enum Code {
        static let requestIdentities: UInt8 = 11
        static let identitiesAnswer: UInt8 = 12
        static let signRequest: UInt8 = 13
        static let signResponse: UInt8 = 14
    }

    /// RSA keys sign with the algorithm that stands in the data (RFC 4252, 7; RFC 8332).
    private static func flags(for data: [UInt8]) -> UInt32 {
        var reader = WireReader(data)
        _ = reader.field()
        _ = reader.byte()
        for _ in 0..<3 { _ = reader.field() }
        _ = reader.byte()
        switch reader.string() {
        case "rsa-sha2-256": return 2
        case "rsa-sha2-512": return 4
        default: return 0
        }
    }

    private static func list(_ path: String) throws(SSHError) -> [Identity] {
        var reader = WireReader(try ask(path, [Code.requestIdentities]))
        guard reader.byte() == Code.identitiesAnswer, let count = reader.uint32() else {
            throw .agent(reason: "it did not list its keys")
        }
        var found: [Identity] = []
        for _ in 0..<min(count, 1000) {
            guard let blob = reader.field(), let comment = reader.string() else {
                throw .agent(reason: "its list of keys cannot be understood")
            }
            if let key = SSHHostKey(blob: blob) { found.append(Identity(key: key, comment: comment)) }
        }
        return found
    }

    /// One question and its answer, on a connection of its own; an answer may take a minute.
    private static func ask(_ path: String, _ message: [UInt8]) throws(SSHError) -> [UInt8] {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard path.utf8.count < room else { throw .agent(reason: "the path of its socket is too long: \(path)") }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .agent(reason: systemMessage(errno)) }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        let result = withUnsafeBytes(of: &address) { bytes in
            Glibc.connect(
                descriptor, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress,
                socklen_t(MemoryLayout<sockaddr_un>.size))
        }
        guard result == 0 else {
            throw .agent(reason: "it cannot be reached at \(path) (SSH_AUTH_SOCK): \(systemMessage(errno))")
        }
        var request = WireWriter()
        request.field(message)
        var rest = request.bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw .agent(reason: systemMessage(errno)) }
            rest = rest.dropFirst(count)
        }
        var header = WireReader(try receive(descriptor, 4))
        guard let length = header.uint32(), length > 0, length <= 1 << 20 else {
            throw .agent(reason: "its answer cannot be understood")
        }
        return try receive(descriptor, Int(length))
    }

    private static func receive(_ descriptor: Int32, _ count: Int) throws(SSHError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = bytes.withUnsafeMutableBytes {
                recv(descriptor, $0.baseAddress?.advanced(by: filled), count - filled, 0)
            }
            guard got > 0 else { throw .agent(reason: got == 0 ? "it hung up" : systemMessage(errno)) }
            filled += got
        }
        return bytes
    }
}
