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

extension OpaquePointer {
    /// The methods of a kind that the library knows, such as `LIBSSH2_METHOD_KEX`.
    func supported(_ method: Int32) -> [String] {
        var names: UnsafeMutablePointer<UnsafePointer<CChar>?>?
        let count = libssh2_session_supported_algs(self, method, &names)
        guard count > 0, let names else { return [] }
        defer { libssh2_free(self, names) }
        return (0..<Int(count)).compactMap { names[$0].map { String(cString: $0) } }
    }

    /// Has a session offer these methods and nothing else, as far as the library knows them.
    ///
    /// The library itself strikes unknown names out of the list with a copy onto itself (`memcpy` of overlapping memory,
    /// seen in 1.10), so it is given none.
    ///
    /// - Returns: false where it knows none of them.
    func prefer(_ names: [String], for method: Int32) -> Bool {
        let known = supported(method)
        let names = names.filter(known.contains)
        return !names.isEmpty && libssh2_session_method_pref(self, method, names.joined(separator: ",")) == 0
    }
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
