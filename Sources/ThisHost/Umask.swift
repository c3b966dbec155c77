internal import CPrctl
internal import Glibc
internal import Synchronization

/// The umask of this process, and that of the process that started it.
///
/// What these programs write is for their user alone, from the first byte on; what is meant for others gets its mode
/// explicitly. Programs that they start for the user get the user's umask back.
public enum Umask {
    private static let user = Mutex<mode_t?>(nil)

    /// To be called once, before anything is written and before there is a second thread.
    public static func makePrivate() {
        let former = umask(0o077)
        user.withLock { $0 = $0 ?? former }
        // Values of secrets are in memory. Where that is refused there is nothing better to do.
        _ = prctl_set_undumpable()
    }

    /// What the user's umask takes away from files and folders.
    public static var ofUser: UInt32 {
        if let known = user.withLock({ $0 }) { return known }
        // Nobody has changed it, and reading it takes changing it.
        let mask = umask(0o077)
        umask(mask)
        return mask
    }
}
