internal import Glibc
public import Model
internal import Windows

/// The process that holds a bucket, as it described itself in the lock's file.
public struct LockHolder: Equatable, Sendable {
    /// Of the process, on `host`.
    public let pid: Int
    /// When the process started, in clock ticks since boot (field 22 of proc(5)'s stat): with `pid` it names one process.
    let processStart: UInt64
    /// The name of the machine.
    public let host: String
    /// Who runs the process.
    public let user: String
    /// The plan that it applies, if it is about one.
    public let plan: Digest?
    /// When it took the lock.
    public let since: Timestamp

    /// This process.
    static func current(plan: Digest?, since: Timestamp) -> LockHolder {
        LockHolder(
            pid: Int(getpid()), processStart: startTime(of: Int(getpid())) ?? 0, host: hostName(), user: userName(),
            plan: plan, since: since)
    }

    init(pid: Int, processStart: UInt64, host: String, user: String, plan: Digest?, since: Timestamp) {
        self.pid = pid
        self.processStart = processStart
        self.host = host
        self.user = user
        self.plan = plan
        self.since = since
    }

    /// A line `key: value` for each field, so that `cat` answers too.
    var text: String {
        """
        pid: \(pid)
        process_start: \(processStart)
        host: \(host)
        user: \(user)
        plan: \(plan.map(\.description) ?? "none")
        since: \(since.utcText)

        """
    }

    /// Reads `text`; nil where a field is missing.
    init?(text: String) {
        var fields: [Substring: String] = [:]
        for line in text.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon]] = String(line[colon...].dropFirst(2))
        }
        guard let pid = fields["pid"].flatMap({ Int($0) }), let host = fields["host"], let user = fields["user"],
            let processStart = fields["process_start"].flatMap({ UInt64($0) }),
            let since = fields["since"].flatMap({ Timestamp(utcText: $0) })
        else { return nil }
        self.init(
            pid: pid, processStart: processStart, host: host, user: user, plan: fields["plan"].flatMap { Digest($0) },
            since: since)
    }

    /// Whether that very process still lives, as far as this host can see.
    var isAlive: Bool { host == Self.hostName() && Self.startTime(of: pid) == processStart }

    private static func startTime(of pid: Int) -> UInt64? {
        guard let file = try? File("/proc/\(pid)/stat", O_RDONLY), let bytes = try? file.read(upTo: 4096) else {
            return nil
        }
        // The second field is the command's name in parentheses, and may itself contain blanks and parentheses.
        guard let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = String(decoding: bytes[end...].dropFirst(2), as: UTF8.self).split(separator: " ")
        return fields.count > 19 ? UInt64(fields[19]) : nil
    }

    private static func hostName() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "unknown" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func userName() -> String {
        guard let entry = getpwuid(getuid()), let name = entry.pointee.pw_name else { return String(getuid()) }
        return String(cString: name)
    }
}

extension LockHolder: CustomStringConvertible {
    public var description: String { "process \(pid) of \(user) on \(host) since \(since.utcText)" }
}

/// Why the bucket's lock could not be had.
public enum LockError: Error, Equatable, Sendable {
    /// `by` is nil where the holder did not write down who it is.
    case held(by: LockHolder?, path: String)
    case networkFileSystem(path: String, type: String)
    case diskFull(path: String)
    case failed(path: String, reason: String)
}

extension LockError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .held(let holder?, let path):
            "the bucket is locked by \(holder) (\(path)). Wait for it to end; `maand-apply status` shows how far it is."
        case .held(nil, let path):
            "the bucket is locked by another process, which did not say who it is (\(path)). `fuser \(path)` names it."
        case .networkFileSystem(let path, let type):
            "\(path) is on a network file system (\(type)), where locks cannot be relied on. "
                + "Keep the bucket on a local disk of one host."
        case .diskFull(let path):
            "the disk is full, so \(path) cannot say who holds the bucket, and nothing was done. Free some space and "
                + "run the same command again."
        case .failed(let path, let reason):
            "cannot lock \(path): \(reason). Check that the folder exists and that you may write in it."
        }
    }
}
