internal import Crypto
internal import FoundationEssentials

/// The contents of known_hosts files (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"): plain, hashed and wildcard names,
/// `[host]:port`, and `@revoked` lines. `@cert-authority` lines cannot be used, because host certificates are not
/// understood; an error about a host that only such a line covers says so.
public struct KnownHosts: Sendable {
    struct Entry: Sendable {
        let names: Names
        let key: SSHHostKey
        let marker: Marker?
        /// `file:line`.
        let place: String
    }

    enum Marker: Sendable { case certificateAuthority, revoked }

    enum Names: Sendable {
        case hashed(salt: [UInt8], digest: [UInt8])
        case patterns([String])
    }

    private var entries: [Entry] = []
    /// Entries by the exact names in them: thousands of plain hosts are found without looking at every line.
    private var byName: [String: [Int]] = [:]
    /// Entries that have to be tried one by one: hashed names and wildcards.
    private var others: [Int] = []

    /// No host at all.
    public init() {}

    /// Reads files; one that does not exist counts as empty.
    ///
    /// - Throws: ``SSHError/knownHosts(place:reason:)`` for a file that exists and cannot be read.
    public init(paths: [String]) throws(SSHError) {
        for path in paths {
            switch SmallFile.read(path, limit: 64 << 20) {
            case .success(let bytes): add(text: String(decoding: bytes, as: UTF8.self), file: path)
            case .failure(.missing): continue
            case .failure(let fault): throw .knownHosts(place: path, reason: fault.reason)
            }
        }
    }

    /// Adds the lines of a file. Lines that are no entries are skipped, as OpenSSH does.
    public mutating func add(text: String, file: String) {
        // By bytes: to Swift the two of a line's end on Windows are one character, which is no line feed.
        for (index, line) in text.utf8.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
            if let entry = Self.parse(line, place: "\(file):\(index + 1)") { add(entry) }
        }
    }

    private mutating func add(_ entry: Entry) {
        let index = entries.count
        entries.append(entry)
        guard case .patterns(let patterns) = entry.names,
            !patterns.contains(where: { $0.contains("*") || $0.contains("?") || $0.hasPrefix("!") })
        else {
            others.append(index)
            return
        }
        for name in Set(patterns) { byName[name, default: []].append(index) }
    }

    private static func parse(_ line: Substring.UTF8View, place: String) -> Entry? {
        var fields = line.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }).map(Substring.init)[...]
        guard let first = fields.first, !first.hasPrefix("#") else { return nil }
        var marker: Marker?
        if first.hasPrefix("@") {
            switch first {
            case "@cert-authority": marker = .certificateAuthority
            case "@revoked": marker = .revoked
            default: return nil
            }
            fields = fields.dropFirst()
        }
        guard fields.count >= 3,
            let key = SSHHostKey(type: fields[fields.startIndex + 1], base64: fields[fields.startIndex + 2])
        else { return nil }
        let name = fields[fields.startIndex]
        let names: Names
        if name.hasPrefix("|1|") {
            let parts = name.dropFirst(3).split(separator: "|").map { Data(base64Encoded: String($0)) }
            guard parts.count == 2, let salt = parts[0], let digest = parts[1] else { return nil }
            names = .hashed(salt: Array(salt), digest: Array(digest))
        } else {
            names = .patterns(name.split(separator: ",").map { $0.lowercased() })
        }
        return Entry(names: names, key: key, marker: marker, place: place)
    }

    /// The entries whose names cover the endpoint, in the files' order.
    func entries(for endpoint: SSHEndpoint) -> [Entry] {
        let name = endpoint.knownHostsName
        let tried = others.filter { entries[$0].names.cover(name) }
        return ((byName[name] ?? []) + tried).sorted().map { entries[$0] }
    }

    /// The fingerprints recorded for the endpoint, in the files' order, each once.
    public func fingerprints(for endpoint: SSHEndpoint) -> [String] {
        var seen: Set<String> = []
        return entries(for: endpoint).filter { $0.marker == nil }.map(\.key.fingerprint)
            .filter { seen.insert($0).inserted }
    }

    /// Adds one host to a file, in one write, and syncs it; makes the file with mode 0600 where there is none.
    static func record(_ key: SSHHostKey, of endpoint: SSHEndpoint, in path: String) throws(SSHError) {
        let line = "\(endpoint.knownHostsName) \(key.type) \(key.base64)\n"
        if let fault = SmallFile.appendLine(line, to: path) {
            throw .knownHosts(place: path, reason: fault.reason)
        }
    }
}

extension KnownHosts.Names {
    func cover(_ name: String) -> Bool {
        switch self {
        case .hashed(let salt, let digest):
            let key = SymmetricKey(data: salt)
            return HMAC<Insecure.SHA1>.isValidAuthenticationCode(digest, authenticating: Array(name.utf8), using: key)
        case .patterns(let patterns):
            let (negated, plain) = (
                patterns.filter { $0.hasPrefix("!") }.map { $0.dropFirst() }, patterns.filter { !$0.hasPrefix("!") }
            )
            return plain.contains { Self.matches(name, Substring($0)) } && !negated.contains { Self.matches(name, $0) }
        }
    }

    /// `*` stands for any run of characters, `?` for one. Linear in memory, at most quadratic in time.
    static func matches(_ name: String, _ pattern: Substring) -> Bool {
        let name = Array(name.utf8)
        let pattern = Array(pattern.utf8)
        var (at, inPattern, star, mark) = (0, 0, -1, 0)
        while at < name.count {
            if inPattern < pattern.count, pattern[inPattern] == UInt8(ascii: "*") {
                (star, mark) = (inPattern, at)
                inPattern += 1
            } else if inPattern < pattern.count,
                pattern[inPattern] == name[at] || pattern[inPattern] == UInt8(ascii: "?")
            {
                at += 1
                inPattern += 1
            } else if star >= 0 {
                mark += 1
                (at, inPattern) = (mark, star + 1)
            } else {
                return false
            }
        }
        return pattern[inPattern...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
