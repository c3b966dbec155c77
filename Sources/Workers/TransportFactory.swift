internal import Glibc
internal import Model
public import Plans
internal import SSH
internal import Windows

/// Makes the transport of a fleet from the bucket's configuration.
public struct TransportFactory: Sendable {
    let bucketFolder: String
    let configuration: BucketConfiguration
    /// Record the host key of a worker of which none is known, instead of refusing.
    let acceptsNewHosts: Bool
    /// Asks a person for the passphrase of the key at a path; nil where nobody can be asked.
    let passphrase: @Sendable (_ path: String) -> String?
    let report: @Sendable (String) -> Void

    public init(
        bucketFolder: String, configuration: BucketConfiguration, acceptsNewHosts: Bool,
        passphrase: @escaping @Sendable (_ path: String) -> String?, report: @escaping @Sendable (String) -> Void
    ) {
        self.bucketFolder = bucketFolder
        self.configuration = configuration
        self.acceptsNewHosts = acceptsNewHosts
        self.passphrase = passphrase
        self.report = report
    }

    /// - Throws: `TransportFailure` where the keys or the known hosts cannot be read.
    public func transport(for fleet: Fleet) async throws(TransportFailure) -> any Transport {
        switch fleet.transport {
        case .local: return LocalTransport(bucket: bucketFolder)
        case .ssh:
            do {
                return try await ssh(fleet)
            } catch {
                throw TransportFailure(reason: "\(error)" + setting(behind: error))
            }
        }
    }

    /// Which setting names the file that an error is about.
    private func setting(behind error: any Error) -> String {
        let keyPath = configuration.secretPath(configuration.sshKey, in: bucketFolder)
        if case SSHError.knownHosts? = error as? SSHError {
            return " `known_hosts` in maand.conf names the file of the workers' host keys"
        }
        if case SSHError.key(keyPath, _)? = error as? SSHError {
            return " `ssh_key` in maand.conf names the key: a private one, or NAME.pub of one that ssh-agent holds"
        }
        return ""
    }

    private func ssh(_ fleet: Fleet) async throws -> any Transport {
        let knownHostsPath = configuration.secretPath(configuration.knownHosts, in: bucketFolder)
        let known = try KnownHosts(paths: [knownHostsPath])
        let open: SSHHostKeyPolicy = acceptsNewHosts ? .acceptNew(known, record: knownHostsPath) : .known(known)
        var targets: [String: SSHTransport.Target] = [:]
        for worker in fleet.workers {
            let port = worker.ssh?.port ?? configuration.sshPort
            let pinned = Set(worker.ssh?.hostKeys ?? [])
            targets[worker.worker.text] = SSHTransport.Target(
                endpoint: SSHEndpoint(
                    host: worker.address, port: UInt16(clamping: port),
                    user: worker.ssh?.user ?? configuration.sshUser),
                // What the reviewer saw counts, as long as known_hosts has it still; a plan made before the host was
                // known leaves it to known_hosts.
                hostKeys: pinned.isEmpty
                    ? open
                    : .pinned(
                        SSHPinnedKeys(pinned, source: "the plan", renewal: "plan again"), known,
                        record: acceptsNewHosts ? knownHostsPath : nil),
                algorithms: algorithms(for: worker.worker.text))
        }
        let jump = configuration.jumpHost.map { host in
            SSHTransport.Target(
                endpoint: SSHEndpoint(
                    host: host.host, port: UInt16(clamping: host.port), user: host.user ?? configuration.sshUser),
                hostKeys: open, algorithms: algorithms(for: BucketConfiguration.jumpHostName))
        }
        return try SSHTransport(
            targets: targets,
            access: SSHTransport.Access(
                credentials: try await credentials(), connectTimeout: .seconds(configuration.connectTimeout),
                jump: jump, useSudo: configuration.useSudo),
            report: report)
    }

    private func algorithms(for name: String) -> SSHAlgorithms {
        SSHAlgorithms(
            allowing: configuration.weakAlgorithms[name] ?? [],
            setting: { "write `weak_ssh_algorithms = [\"\(name) \($0)\"]` in maand.conf" })
    }

    /// The key file where there is one, or the key of the agent that it is the public half of; where it is missing or needs a passphrase that nobody gives, the agent.
    private func credentials() async throws(SSHError) -> [SSHCredential] {
        let path = configuration.secretPath(configuration.sshKey, in: bucketFolder)
        let agent = getenv("SSH_AUTH_SOCK").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
        if access(path, F_OK) != 0 {
            if let agent { return [.agent(try await SSHAgent.connect(socketPath: agent))] }
            if errno == ENOENT {
                throw .key(
                    path: path,
                    reason: "the file does not exist, and no agent is there (SSH_AUTH_SOCK). Put the key there, name "
                        + "another as ssh_key, or start ssh-agent")
            }
        }
        if let chosen = SSHPublicKeyFile(path: path) {
            guard let agent else {
                throw .key(
                    path: path,
                    reason: "this is a public key, which chooses one that ssh-agent holds, and no agent is there "
                        + "(SSH_AUTH_SOCK). Start ssh-agent, or name the private key")
            }
            return [.agent(try await SSHAgent.connect(socketPath: agent, only: chosen))]
        }
        do {
            return [.key(try await SSHPrivateKey.load(path: path, passphrase: try storedPassphrase()))]
        } catch SSHError.passphraseNeeded {
            if let agent { return [.agent(try await SSHAgent.connect(socketPath: agent))] }
            guard let typed = passphrase(path) else { throw .passphraseNeeded(path: path) }
            return [.key(try await SSHPrivateKey.load(path: path, passphrase: typed))]
        } catch {
            throw error
        }
    }

    private func storedPassphrase() throws(SSHError) -> String? {
        guard let file = configuration.sshPassphraseFile else { return nil }
        let path = configuration.secretPath(file, in: bucketFolder)
        let bytes: [UInt8]
        do throws(InputFile.Problem) { bytes = try InputFile.read(path, limit: 64 << 10) } catch {
            throw .key(path: path, reason: "the passphrase cannot be read: \(error.message)")
        }
        guard let line = bytes.split(separator: 0x0a, maxSplits: 1, omittingEmptySubsequences: false).first,
            !bytes.isEmpty
        else { throw .key(path: path, reason: "the passphrase file is empty") }
        var word = line.prefix { $0 != 0 }
        // The rest of a line's end of Windows, not a part of the passphrase.
        if word.last == 0x0d { word.removeLast() }
        return String(decoding: word, as: UTF8.self)
    }
}

/// Why no transport could be made; nothing was contacted.
public struct TransportFailure: Error, Sendable, CustomStringConvertible {
    /// For people.
    public let reason: String

    public var description: String { reason }
}
