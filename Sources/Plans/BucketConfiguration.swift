public import Model
public import YAML

/// `maand.conf`: what a bucket is and how its workers are reached.
///
/// Keys have Maand's names where Maand has them; what Maand knows and this program does not need is accepted and ignored.
public struct BucketConfiguration: Equatable, Sendable {
    /// Names the bucket on every worker.
    public var bucketID: String
    /// How workers are reached.
    public var transport: TransportKind = .ssh
    /// Folder on the workers below which a bucket has its own.
    public var workerRoot = "/opt/worker"
    /// The user on the workers, where `workers.json` names none.
    public var sshUser = "agent"
    /// Below `secrets/` unless absolute.
    public var sshKey = "worker.key"
    /// The port of the workers' sshd, where `workers.json` names none.
    public var sshPort = 22
    /// File that holds the key's passphrase; below `secrets/` unless absolute. Nil where the key needs none, or an
    /// agent or a terminal gives it.
    public var sshPassphraseFile: String?
    /// Below `secrets/` unless absolute.
    public var knownHosts = "known_hosts"
    /// Seconds for a connection to come about, with everything that belongs to it; 1...600.
    public var connectTimeout = 10
    /// A host through which all workers are reached.
    public var jumpHost: JumpHost?
    /// By worker, or ``jumpHostName``: key exchanges, ciphers and MACs that OpenSSH 9 does not offer by itself.
    public var weakAlgorithms: [String: [String]] = [:]
    /// Stands for the jump host where workers are named.
    public static let jumpHostName = "jump_host"
    /// Work on the workers as root, through `sudo -n`.
    public var useSudo = true
    /// Goes into every plan.
    public var policy = Plan.Policy()
    /// Variables of the applying process that hooks get, beside those that every program needs.
    public var hookEnvironment: [String] = []
    /// The virtual environments with which hooks in Python run, as absolute paths on the controller.
    public var hookVenvs: [JobName: String] = [:]
    /// A port of 127.0.0.1 at which hooks can ask besides the socket, 0 for any that is free; nil for none.
    public var hookAPIPort: Int?
    /// Chooses `bucket.jobs.<selector>.conf`; empty for `bucket.jobs.conf`.
    public var jobConfigSelector = ""
    /// How long certificates are valid, in days; at least 1.
    public var certificateDays = 60
    /// How long before its end a certificate is renewed, in hours; less than it is valid.
    public var renewalHours = 20 * 24

    /// About keys of the file that mean nothing here.
    public var warnings: [Diagnostic] = []

    public init(bucketID: String) { self.bucketID = bucketID }

    /// Workers that are reached as the bucket says.
    public func fleet(_ workers: [PlanWorker]) -> Fleet {
        Fleet(bucket: bucketID, transport: transport, workerRoot: workerRoot, workers: workers)
    }

    /// Reads `maand.conf`.
    ///
    /// - Parameter adopted: the id of a bucket of Maand, whose file does not name one.
    /// - Throws: `InputFailure` with every error found.
    public static func read(
        _ bytes: [UInt8], file: String, adopted: String? = nil
    ) throws(InputFailure) -> BucketConfiguration {
        var reader = try TOMLReader(bytes, file: file)
        var result = BucketConfiguration(bucketID: adopted ?? "")
        // Where Maand's messages go, and how they look.
        reader.ignore(["log_format"])
        if let id = reader.string("bucket_id") {
            if Name<Never>(id) == nil { reader.error("bucket_id", "is no name: letters, digits and `._:-`") }
            result.bucketID = id
        } else if adopted == nil {
            reader.error(
                "bucket_id", "is missing",
                note: "`maand-plan adopt` takes over a bucket of Maand, and `maand-plan init` makes a new one")
        }
        if let transport: TransportKind = reader.word("transport") { result.transport = transport }
        if let root = reader.string("worker_root") {
            if !root.hasPrefix("/") || TreePath.problem(String(root.dropFirst())) != nil {
                reader.error("worker_root", "has to be an absolute path without `.`, `..` and a slash at its end")
            }
            result.workerRoot = root
        }
        if let user = reader.string("ssh_user") {
            if user.isEmpty { reader.error("ssh_user", "may not be empty; it is the account on the workers") }
            result.sshUser = user
        }
        if let key = reader.string("ssh_key") { result.sshKey = key }
        // Maand writes 0 for the usual one.
        if let port = reader.integer("ssh_port", in: 0...Plan.portRange.upperBound), port > 0 { result.sshPort = port }
        if let file = reader.string("ssh_passphrase_file") { result.sshPassphraseFile = file }
        if let file = reader.string("known_hosts") { result.knownHosts = file }
        if let seconds = reader.integer("connect_timeout", in: 1...600) { result.connectTimeout = seconds }
        if let text = reader.string("jump_host"), !text.isEmpty {
            result.jumpHost = JumpHost(text)
            if result.jumpHost == nil {
                reader.error("jump_host", "has the form [user@]host[:port]", note: "an IPv6 address stands in brackets")
            }
        }
        for text in reader.texts("weak_ssh_algorithms") ?? [] {
            let words = text.split(separator: " ").map(String.init)
            guard words.count > 1 else {
                reader.error(
                    "weak_ssh_algorithms", "has texts of a worker's name, or `\(Self.jumpHostName)`, and algorithms",
                    note: "such as \"old-host diffie-hellman-group14-sha1 aes256-cbc\"")
                continue
            }
            result.weakAlgorithms[words[0], default: []] += words.dropFirst()
        }
        if let sudo = reader.boolean("use_sudo") { result.useSudo = sudo }
        if let policy: FailurePolicy = reader.word("on_failure") { result.policy.onFailure = policy }
        if let width = reader.integer("job_parallelism", in: Plan.Policy.parallelismRange) {
            result.policy.jobParallelism = width
        }
        result.hookEnvironment = reader.texts("hook_environment") ?? []
        result.hookVenvs = Self.hookVenvs(&reader)
        result.hookAPIPort = reader.integer("hook_api_port", in: 0...Plan.portRange.upperBound)
        if let selector = reader.string("job_config_selector") { result.jobConfigSelector = selector }
        Self.readCertificateDays(&reader, into: &result)
        result.warnings = try reader.finishAsMaand()
        return result
    }
}

extension BucketConfiguration {
    /// Maand's keys; a `certs_ttl` of 0 stands for 60.
    private static func readCertificateDays(_ reader: inout TOMLReader, into result: inout BucketConfiguration) {
        if let days = reader.integer("certs_ttl", in: 0...3650), days > 0 {
            result.certificateDays = days
            result.renewalHours = days * 24 / 3
        }
        guard let days = reader.integer("certs_renewal_buffer", in: 0...3650) else { return }
        result.renewalHours = days * 24
        if days >= result.certificateDays {
            reader.error(
                "certs_renewal_buffer", "is not less than `certs_ttl`, which is \(result.certificateDays)",
                note: "a new certificate would be renewed at once")
        }
    }
}

extension BucketConfiguration {
    private static let venvs = "hook_venvs"

    private static func hookVenvs(_ reader: inout TOMLReader) -> [JobName: String] {
        var found: [JobName: String] = [:]
        var problems: [String] = []
        reader.section(venvs) { table in
            for key in table.keys {
                guard let path = table.string(key) else { continue }
                if let job = JobName(key) { found[job] = path } else { problems.append("names no job: \(key)") }
                if !path.hasPrefix("/") || TreePath.problem(String(path.dropFirst())) != nil {
                    problems.append(
                        "of \(key) has to be an absolute path without `.`, `..` and a slash at its end, and is \(path)")
                }
            }
        }
        for problem in problems { reader.error(venvs, problem) }
        return found
    }

    /// What to do where jobs have a virtual environment in the workspace: the rule, and the line for `maand.conf` that
    /// names one elsewhere for each of them, and those that it has.
    public func adviceOnVenvs(of jobs: [JobName]) -> String {
        let added = jobs.map { ($0, "/opt/maand/venvs/\($0)") }
        let all = hookVenvs.merging(added) { old, _ in old }.sorted { $0.key < $1.key }
        let entries = all.map { job, path in
            let isBare = job.text.utf8.allSatisfy { $0 != UInt8(ascii: ".") && $0 != UInt8(ascii: ":") }
            return "\(isBare ? job.text : "\"\(job)\"") = \"\(path)\""
        }
        return
            "make one where only root or the user who applies may write (`python3 -m venv PATH`), and name it in maand.conf: "
            + "\(Self.venvs) = {\(entries.joined(separator: ", "))}"
    }
}

extension BucketConfiguration {
    /// `[user@]host[:port]`; an IPv6 address may stand in brackets, and has to where a port follows.
    public struct JumpHost: Equatable, Sendable {
        /// Nil means that of the workers.
        public var user: String?
        /// A name or an address; an IPv6 address without brackets.
        public var host: String
        /// 22 where the text names none.
        public var port: Int

        init?(_ text: String) {
            var rest = text[...]
            if let at = rest.lastIndex(of: "@") {
                user = String(rest[..<at])
                rest = rest[rest.index(after: at)...]
            }
            port = 22
            if rest.first == "[" {
                guard let end = rest.firstIndex(of: "]") else { return nil }
                let inner = rest[rest.index(after: rest.startIndex)..<end]
                rest = rest[rest.index(after: end)...]
                // Nothing, or a port.
                guard rest.isEmpty || rest.first == ":", !inner.isEmpty else { return nil }
                if !rest.isEmpty {
                    guard let number = Int(rest.dropFirst()), (1...65535).contains(number) else { return nil }
                    port = number
                }
                host = String(inner)
                if user?.isEmpty == true { return nil }
                return
            }
            // An IPv6 address has several colons, and then no port stands behind it.
            if let colon = rest.lastIndex(of: ":"), rest.firstIndex(of: ":") == colon {
                guard let number = Int(rest[rest.index(after: colon)...]), Plan.portRange.contains(number) else {
                    return nil
                }
                port = number
                rest = rest[..<colon]
            }
            host = String(rest)
            if host.isEmpty || user?.isEmpty == true { return nil }
        }
    }

    /// Where a file lies that the configuration names: below `secrets/` of the bucket unless the path is absolute.
    public func secretPath(_ path: String, in bucketFolder: String) -> String {
        path.hasPrefix("/") ? path : "\(bucketFolder)/secrets/\(path)"
    }
}
