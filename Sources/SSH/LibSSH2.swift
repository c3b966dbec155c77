internal import CSSH2

/// What is the same for every session: start-up, version, codes.
enum LibSSH2 {
    /// Runs `libssh2_init` once in the life of the process, before any thread uses the library; 0, or the error.
    static let initialised: CInt = libssh2_init(0)

    /// The version of the library that is loaded, as 0xMMmmpp.
    static let version: (number: Int, text: String) = {
        let text = libssh2_version(0).map { String(cString: $0) } ?? "0"
        let parts = text.split(whereSeparator: { $0 == "." || $0 == "_" }).prefix(3).map { Int($0) ?? 0 }
        return (parts.reduce(0) { $0 << 8 | $1 }, text)
    }()

    /// Before 1.11 the library signs RSA keys with SHA-1 only, which today's servers refuse, and knows no user certificates.
    static var signsRSAWithSHA2: Bool { version.number >= 0x010b00 }

    static let again = LIBSSH2_ERROR_EAGAIN
}

/// The sanctioned ways to look at a session's last error.
extension OpaquePointer {
    /// The text of the session's last error, without its code. Only meaningful right after a call that failed.
    var sessionErrorText: String {
        var text: UnsafeMutablePointer<CChar>?
        let code = libssh2_session_last_error(self, &text, nil, 0)
        guard let text, text.pointee != 0 else { return "libssh2 error \(code)" }
        return "\(String(cString: text)) (libssh2 error \(code))"
    }
}
