internal import Model
public import Plans
public import SSH

extension KnownHosts {
    /// The host keys in the bucket's `known_hosts`; none if there is no such file.
    ///
    /// - Throws: `SSHError.knownHosts` if it cannot be read.
    public init(of configuration: BucketConfiguration, in bucketFolder: String) throws(SSHError) {
        try self.init(paths: [configuration.secretPath(configuration.knownHosts, in: bucketFolder)])
    }

    /// The fingerprints of the keys of a worker's sshd.
    ///
    /// - Parameter port: clamped to what a port may be.
    public func fingerprints(address: String, port: Int, user: String) -> [String] {
        fingerprints(for: SSHEndpoint(host: address, port: UInt16(clamping: port), user: user))
    }
}
