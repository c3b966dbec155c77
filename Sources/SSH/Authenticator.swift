internal import CSSH2
internal import Glibc

/// One key to offer.
enum AuthenticationAttempt: Sendable {
    case key(SSHPrivateKey)
    case agent(SSHAgent, SSHAgent.Identity)

    var name: String {
        switch self {
        case .key(let key): "\(key.path) (\(key.description))"
        case .agent(_, let identity): "\(identity.comment) of the ssh-agent (\(identity.key))"
        }
    }
}

/// Offers the keys one after the other. Nothing here waits: a signature of an agent comes as a message.
struct Authenticator {
    private let attempts: [AuthenticationAttempt]
    private let endpoint: SSHEndpoint
    private var index = 0
    private var signer = Signer()
    private var refusals: [String] = []

    init(attempts: [AuthenticationAttempt], endpoint: SSHEndpoint) {
        self.attempts = attempts
        self.endpoint = endpoint
    }

    /// Goes on as far as possible; true when the user is logged in. `askAgent` starts a signature, which ``signed(_:)``
    /// brings back; `farewell` is what the server said when it hung up.
    mutating func advance(
        _ raw: OpaquePointer, farewell: () -> String?, askAgent: (SSHAgent, SSHAgent.Identity, [UInt8]) -> Void
    ) throws(SSHError) -> Bool {
        while index < attempts.count {
            let attempt = attempts[index]
            let code: Int32
            switch attempt {
            case .key(let key):
                code = offer(key, raw)
            case .agent(let agent, let identity):
                code = offer(identity, raw)
                if case .wanted(let data) = signer.state {
                    signer.state = .asked
                    askAgent(agent, identity, data)
                }
            }
            switch code {
            case 0:
                return true
            case LibSSH2.again:
                return false
            case LIBSSH2_ERROR_AUTHENTICATION_FAILED, LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED:
                var refusal = attempt.name
                if case .failed(let error) = signer.state { refusal += ": \(error)" }
                refusals.append(refusal)
            case LIBSSH2_ERROR_SOCKET_DISCONNECT, LIBSSH2_ERROR_SOCKET_RECV, LIBSSH2_ERROR_SOCKET_SEND:
                throw refusal(after: raw.sessionErrorText)
                    ?? .connectionLost(endpoint, reason: "during authentication: \(raw.sessionErrorText)")
            default:
                refusals.append("\(attempt.name): \(raw.sessionErrorText)")
            }
            index += 1
            if let words = farewell(), let error = refusal(after: words) { throw error }
            signer = Signer()
        }
        guard !attempts.isEmpty else {
            throw .authentication(endpoint, reason: "there is no key to log in with")
        }
        guard let methods = libssh2_userauth_list(raw, endpoint.user, UInt32(endpoint.user.utf8.count)) else {
            if libssh2_session_last_errno(raw) == LibSSH2.again { return false }
            throw .authentication(endpoint, reason: refusalText)
        }
        let allowed = String(cString: methods)
        guard allowed.split(separator: ",").contains("publickey") else {
            throw .authentication(endpoint, reason: "the server takes no keys, only \(allowed)")
        }
        throw .authentication(endpoint, reason: refusalText)
    }

    private var refusalText: String {
        "the server accepts none of these keys for this user: \(refusals.joined(separator: "; ")). Is the public key in "
            + "the user's authorized_keys there, and may the user log in at all"
    }

    /// What to say when the server hung up while keys were being offered; nil where it had refused none before.
    func refusal(after reason: String) -> SSHError? {
        guard !refusals.isEmpty else { return nil }
        let untried = attempts.count - refusals.count
        let rest =
            untried > 0
            ? ". \(untried) more of the keys \(untried == 1 ? "was" : "were") not tried: a server takes only so many "
                + "(MaxAuthTries)" : ""
        return .authentication(
            endpoint,
            reason: "the server hung up after it had refused \(refusals.count) of \(attempts.count) keys "
                + "(\(refusals.joined(separator: "; "))): \(reason)\(rest)")
    }

    mutating func signed(_ result: Result<[UInt8], SSHError>) {
        switch result {
        case .success(let signature): signer.state = .ready(signature)
        case .failure(let error): signer.state = .failed(error)
        }
    }

    private func offer(_ key: SSHPrivateKey, _ raw: OpaquePointer) -> Int32 {
        key.text.withUnsafeBufferPointer { text in
            text.withMemoryRebound(to: CChar.self) { text in
                // Without a public key the library takes it from the private one.
                libssh2_userauth_publickey_frommemory(
                    raw, endpoint.user, endpoint.user.utf8.count, nil, 0, text.baseAddress, text.count - 1, nil)
            }
        }
    }

    private func offer(_ identity: SSHAgent.Identity, _ raw: OpaquePointer) -> Int32 {
        var context: UnsafeMutableRawPointer? = Unmanaged.passUnretained(signer).toOpaque()
        return libssh2_userauth_publickey(
            raw, endpoint.user, identity.key.blob, identity.key.blob.count,
            { _, signature, length, data, dataLength, context in
                guard let context = context?.pointee, let signature, let length, let data else { return -1 }
                let signer = Unmanaged<Signer>.fromOpaque(context).takeUnretainedValue()
                return signer.sign(UnsafeRawBufferPointer(start: data, count: dataLength), into: signature, length)
            }, &context)
    }
}

/// Stands between libssh2, which wants a signature now, and an agent, which takes its time.
private final class Signer {
    enum State {
        case idle
        case wanted([UInt8])
        case asked
        case ready([UInt8])
        case failed(SSHError)
    }

    var state = State.idle

    /// libssh2's callback: 0 with a signature that libssh2 frees, `EAGAIN` to be asked again, or a failure.
    func sign(
        _ data: UnsafeRawBufferPointer, into signature: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>,
        _ length: UnsafeMutablePointer<Int>
    ) -> Int32 {
        switch state {
        case .idle:
            state = .wanted(Array(data))
            return LibSSH2.again
        case .wanted, .asked:
            return LibSSH2.again
        case .failed:
            return -1
        case .ready(let bytes):
            guard let copy = malloc(bytes.count) else { return -1 }
            bytes.withUnsafeBytes {
                copy.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(copy), byteCount: $0.count)
            }
            signature.pointee = copy.assumingMemoryBound(to: UInt8.self)
            length.pointee = bytes.count
            return 0
        }
    }
}
