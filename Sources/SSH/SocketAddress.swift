internal import Glibc

/// A numeric address and port to connect to.
struct SocketAddress: Sendable {
    let family: Int32
    let bytes: [UInt8]

    /// Starts connecting. The socket does not block, is not inherited, and sends small packets at once.
    func connect() -> Result<Int32, ConnectFailure> {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(family, type, 0)
        guard descriptor >= 0 else { return .failure(ConnectFailure(code: errno)) }
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        let result = bytes.withUnsafeBytes { bytes in
            // The bytes are a sockaddr of this family, as getaddrinfo made it.
            Glibc.connect(descriptor, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t(bytes.count))
        }
        guard result == 0 || errno == EINPROGRESS else {
            let code = errno
            close(descriptor)
            return .failure(ConnectFailure(code: code))
        }
        return .success(descriptor)
    }

    /// The addresses of a host. Blocks for the name service unless `numericOnly` is set, which takes addresses alone.
    static func lookUp(_ host: String, port: UInt16, numericOnly: Bool) -> Result<[SocketAddress], LookupFailure> {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV | (numericOnly ? AI_NUMERICHOST : AI_ADDRCONFIG)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        guard code == 0 else {
            let reason = code == EAI_SYSTEM ? systemMessage(errno) : String(cString: gai_strerror(code))
            return .failure(LookupFailure(reason: "the name cannot be looked up: \(reason)"))
        }
        defer { freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var next = list
        while let entry = next?.pointee {
            if let address = entry.ai_addr {
                let bytes = UnsafeRawBufferPointer(start: address, count: Int(entry.ai_addrlen))
                found.append(SocketAddress(family: entry.ai_family, bytes: Array(bytes)))
            }
            next = entry.ai_next
        }
        return .success(found)
    }
}

struct LookupFailure: Error {
    let reason: String
}

struct ConnectFailure: Error {
    let code: Int32

    /// The errors of `connect(2)`, told apart.
    func error(for endpoint: SSHEndpoint) -> SSHError {
        code == ECONNREFUSED ? .refused(endpoint) : .unreachable(endpoint, reason: systemMessage(code))
    }
}
