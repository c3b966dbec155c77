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
    public var useSudo = true
    public var policy = Plan.Policy()
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
        if let sudo = reader.boolean("use_sudo") { result.useSudo = sudo }
        if let policy: FailurePolicy = reader.word("on_failure") { result.policy.onFailure = policy }
        if let width = reader.integer("job_parallelism", in: 1...64) { result.policy.jobParallelism = width }
        if let selector = reader.string("job_config_selector") { result.jobConfigSelector = selector }
        reader.ignore(["certs_ttl", "certs_renewal_buffer"])
        try reader.finish()
        return result
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
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw InputFailure(Diagnostic(file: file, mark: Mark(line: 1, column: 1), message: "this is not UTF-8"))
        }
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
