internal import Foundation
internal import Model

/// This machine and its user, as runs and workers know them.
public enum ControlHost {
    /// `user@host`, for the record.
    public static var who: String { "\(NSUserName())@\(ProcessInfo.processInfo.hostName)" }

    /// machine-id(5) names a host for good, whatever its name and addresses; hashed, since it is to be kept private.
    public static var controller: String {
        let id = FileManager.default.contents(atPath: "/etc/machine-id").map { Array($0) } ?? []
        let name = id.isEmpty ? Array(ProcessInfo.processInfo.hostName.utf8) : id
        return String(Digest.of(Array("maand-apply\n".utf8) + name).hex.prefix(16))
    }

    /// Random text for a new run: 16 hexadecimal digits.
    @Sendable public static func nonce() -> String {
        String((0..<16).map { _ in "0123456789abcdef".randomElement() ?? "0" })
    }

    /// Only where a person sits at a terminal: a rollout that runs by itself must not wait for one.
    @Sendable public static func askPassphrase(_ path: String) -> String? {
        guard isatty(STDIN_FILENO) == 1, let typed = getpass("Passphrase of \(path): ") else { return nil }
        return String(cString: typed)
    }
}
