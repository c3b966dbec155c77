/// How much one server may send, and how much of it may be kept here.
///
/// Until the user is logged in, a fixed number of bytes, of which the greeting may take a part. From then on what was sent
/// may exceed what was used up only by a fixed amount, so that neither a flood that libssh2 would throw away nor one that it would keep costs
/// the other servers anything. A value: who receives and who reads tell it, and ask ``excess``.
struct Allowance {
    /// Bytes up to the line with the server's version, which libssh2 reads one by one.
    static let greeting = 64 << 10
    /// Bytes of a whole key exchange and login, several times over.
    static let beforeLogin = 1 << 20
    /// Bytes beyond what was used: the windows of some channels, and what belongs to no channel.
    static let ahead = 16 << 20
    /// A byte that was used up may have come in a packet of its own size several times over.
    static let cost = 4
    /// What opening, running and closing a command takes beside its output.
    static let perRequest = 16 << 10
    /// What libssh2 may have allocated for a session. Its queue of packets, which it does not bound, is in it.
    static let memory = 24 << 20

    private(set) var received = 0
    private var limit = Self.greeting
    private var isLoggedIn = false
    /// Bytes that libssh2 has allocated for the session.
    var held = 0

    mutating func receive(_ count: Int) { received += count }

    /// The server has said its version.
    mutating func greet() { limit = max(limit, Self.beforeLogin) }

    /// The user is logged in: from now on what is used up counts.
    mutating func logIn() {
        isLoggedIn = true
        limit = received + Self.ahead
    }

    /// So many bytes of a channel reached their reader.
    mutating func use(_ count: Int) { limit += count * Self.cost }

    /// Something was asked of the server, which it has to answer.
    mutating func ask() { limit += Self.perRequest }

    /// Why the server is not listened to any more; nil as long as it keeps to its share.
    var excess: String? {
        if received > limit {
            return isLoggedIn
                ? "the server floods this connection: it sent \(Self.ahead >> 20) MiB that nobody had asked for"
                : "the server sent \(limit >> 10) KiB and more before anybody was logged in"
        }
        if held > Self.memory {
            return
                "the server floods this connection: what it sent takes more than \(Self.memory >> 20) MiB of memory here"
        }
        return nil
    }
}
