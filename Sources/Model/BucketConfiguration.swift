internal import TOMLKit
public import YAML

/// `maand.conf`: what a bucket is and how its workers are reached.
///
/// Keys have Maand's names where Maand has them; what Maand knows and this program does not need is accepted and ignored.
public struct BucketConfiguration: Equatable, Sendable {
    /// Names the bucket on every worker.
    public var bucketID: String
    public var transport: TransportKind = .ssh
    /// Folder on the workers below which a bucket has its own.
    public var workerRoot = "/opt/worker"
    public var sshUser = "agent"
    /// Below `secrets/` unless absolute.
    public var sshKey = "worker.key"
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
    /// Work on the workers as root, through `sudo -n`.
    public var useSudo = true
    public var policy = Plan.Policy()
    /// Variables of the applying process that hooks get, beside those that every program needs.
    public var hookEnvironment: [String] = []
    /// Chooses `bucket.jobs.<selector>.conf`; empty for `bucket.jobs.conf`.
    public var jobConfigSelector = ""

    public init(bucketID: String) { self.bucketID = bucketID }

    /// Reads `maand.conf`.
    ///
    /// - Throws: `InputFailure` with every error found.
    public static func read(_ bytes: [UInt8], file: String) throws(InputFailure) -> BucketConfiguration {
        var reader = try TOMLReader(bytes, file: file)
        var result = BucketConfiguration(bucketID: "")
        if let id = reader.string("bucket_id") {
            if Name<Never>(id) == nil { reader.error("bucket_id", "is no name: letters, digits and `._:-`") }
            result.bucketID = id
        } else {
            reader.error("bucket_id", "is missing; `maand-plan init` writes one")
        }
        if let transport: TransportKind = reader.word("transport") { result.transport = transport }
        if let root = reader.string("worker_root") {
            if !root.hasPrefix("/") || TreePath.problem(String(root.dropFirst())) != nil {
                reader.error("worker_root", "has to be an absolute path without `.`, `..` and a slash at its end")
            }
            result.workerRoot = root
        }
        if let user = reader.string("ssh_user") { result.sshUser = user }
        if let key = reader.string("ssh_key") { result.sshKey = key }
        if let port = reader.integer("ssh_port", in: 1...65535) { result.sshPort = port }
        if let file = reader.string("ssh_passphrase_file") { result.sshPassphraseFile = file }
        if let file = reader.string("known_hosts") { result.knownHosts = file }
        if let seconds = reader.integer("connect_timeout", in: 1...600) { result.connectTimeout = seconds }
        if let text = reader.string("jump_host"), !text.isEmpty {
            result.jumpHost = JumpHost(text)
            if result.jumpHost == nil { reader.error("jump_host", "has the form [user@]host[:port]") }
        }
        if let sudo = reader.boolean("use_sudo") { result.useSudo = sudo }
        if let policy: FailurePolicy = reader.word("on_failure") { result.policy.onFailure = policy }
        if let width = reader.integer("job_parallelism", in: 1...64) { result.policy.jobParallelism = width }
        result.hookEnvironment = reader.strings("hook_environment") ?? []
        if let selector = reader.string("job_config_selector") { result.jobConfigSelector = selector }
        reader.ignore(["certs_ttl", "certs_renewal_buffer"])
        try reader.finish()
        return result
    }
}

extension BucketConfiguration {
    /// `[user@]host[:port]`
    public struct JumpHost: Equatable, Sendable {
        /// Nil means that of the workers.
        public var user: String?
        public var host: String
        public var port: Int

        init?(_ text: String) {
            var rest = text[...]
            if let at = rest.lastIndex(of: "@") {
                user = String(rest[..<at])
                rest = rest[rest.index(after: at)...]
            }
            port = 22
            // An IPv6 address has several colons, and then no port stands behind it.
            if let colon = rest.lastIndex(of: ":"), rest.firstIndex(of: ":") == colon {
                guard let number = Int(rest[rest.index(after: colon)...]), (1...65535).contains(number) else {
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

/// Strict reading of a flat TOML table: wrong types and unknown keys are errors, all of them reported.
public struct TOMLReader {
    private let table: TOMLTable
    private let file: String
    private let lines: [String]
    private var asked: Set<String> = []
    private var errors: [Diagnostic] = []

    public init(_ bytes: [UInt8], file: String) throws(InputFailure) {
        let text = try TOMLText.decode(bytes, file: file)
        self.file = file
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        do {
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            throw InputFailure(
                Diagnostic(
                    file: file, mark: Mark(line: error.source.begin.line, column: error.source.begin.column),
                    message: "this is not TOML: \(VisibleText.escape(error.description, for: .terminal))"))
        } catch {
            throw InputFailure(Diagnostic(file: file, mark: Mark(line: 1, column: 1), message: "this is not TOML"))
        }
    }

    /// The names of the table's keys, sorted.
    public var keys: [String] { table.keys.sorted() }

    /// Records an error at `key`, where the file has it.
    public mutating func error(_ key: String, _ problem: String, note: String? = nil) {
        let line = lines.firstIndex { $0.trimmingPrefix { $0 == " " || $0 == "\t" }.hasPrefix(key) }
        errors.append(
            Diagnostic(
                file: file, mark: Mark(line: (line ?? 0) + 1, column: 1), message: "`\(key)` \(problem)", note: note))
    }

    public mutating func string(_ key: String) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = value.string else {
            error(key, "has to be a text in quotes")
            return nil
        }
        return text
    }

    /// A list of texts.
    public mutating func strings(_ key: String) -> [String]? {
        guard let value = value(key) else { return nil }
        let items = value.array.map { array in array.map { $0.string } }
        guard let items, items.allSatisfy({ $0 != nil }) else {
            error(key, "has to be a list of texts in quotes")
            return nil
        }
        return items.compactMap(\.self)
    }

    /// A text, or the text of a number or truth value: what variables may be.
    public mutating func variable(_ key: String) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = TOMLText.variable(value) else {
            error(key, "has to be a text in quotes, a number, `true` or `false`")
            return nil
        }
        return text
    }

    /// A whole number, also where it is written in quotes, as Maand's files have it.
    public mutating func integer(_ key: String, in range: ClosedRange<Int>) -> Int? {
        guard let value = value(key) else { return nil }
        guard let number = value.int ?? value.string.flatMap({ Int($0) }), range.contains(number) else {
            error(key, "has to be a whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }

    public mutating func boolean(_ key: String) -> Bool? {
        guard let value = value(key) else { return nil }
        guard let flag = value.bool else {
            error(key, "has to be `true` or `false`")
            return nil
        }
        return flag
    }

    public mutating func word<Word: RawRepresentable & CaseIterable>(_ key: String) -> Word?
    where Word.RawValue == String {
        guard let text = string(key) else { return nil }
        guard let word = Word(rawValue: text) else {
            error(key, "has to be one of " + Word.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", "))
            return nil
        }
        return word
    }

    /// Marks keys as known without reading them.
    public mutating func ignore(_ keys: [String]) { asked.formUnion(keys) }

    /// - Throws: `InputFailure` where any error was recorded or a key was not asked for.
    public mutating func finish() throws(InputFailure) {
        for key in table.keys.sorted() where !asked.contains(key) {
            let nearest = Suggestion.nearest(to: key, among: asked.sorted())
            error(key, "is not a known key", note: nearest.map { "did you mean `\($0)`?" })
        }
        if let first = errors.first { throw InputFailure(first, Array(errors.dropFirst())) }
    }

    private mutating func value(_ key: String) -> (any TOMLValueConvertible)? {
        asked.insert(key)
        return table[key]
    }
}
