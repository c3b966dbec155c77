/// Whether the libssh2 in use can sign with a type of key.
struct KeyUse {
    let type: String

    /// Why not, and what to do about it; nil where it can.
    var problem: (reason: String, remedy: String)? {
        let version = LibSSH2.version.text
        let newKey = "Make an Ed25519 key (ssh-keygen -t ed25519), add it to authorized_keys, and use that"
        if type.contains("-cert-v0") {
            return ("user certificates are not supported", "\(newKey).")
        }
        if type.hasPrefix("sk-") {
            return ("keys on a security token are not supported", "\(newKey).")
        }
        if type == "ssh-dss" {
            return ("DSA keys are refused by servers of today", "\(newKey).")
        }
        if type == "ssh-rsa", !LibSSH2.signsRSAWithSHA2 {
            return (
                "libssh2 \(version) signs with RSA keys in a way (SHA-1) that servers of today refuse",
                "\(newKey); or use libssh2 1.11 or later."
            )
        }
        return nil
    }
}
