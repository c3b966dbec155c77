/// Where an SSH server listens and who logs in there.
public struct SSHEndpoint: Sendable, Hashable, CustomStringConvertible {
    /// A host name, an IPv4 or an IPv6 address, without brackets; also the name looked up in known_hosts.
    public let host: String
    /// TCP port, 22 where nothing else is said.
    public let port: UInt16
    /// The account on the server.
    public let user: String

    public init(host: String, port: UInt16 = 22, user: String) {
        self.host = host
        self.port = port
        self.user = user
    }

    /// `user@host`, with the port where it is not 22.
    public var description: String {
        port == 22 ? "\(user)@\(host)" : "\(user)@\(host) port \(port)"
    }

    /// The name under which known_hosts files list this server: `host`, or `[host]:port` for another port than 22.
    var knownHostsName: String {
        let name = host.lowercased()
        return port == 22 ? name : "[\(name)]:\(port)"
    }
}
