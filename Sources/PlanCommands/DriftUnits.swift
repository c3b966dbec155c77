/// A service that compares the workers of a bucket with what was promoted, and the timer that starts it.
struct DriftUnits {
    /// Without `.service` and `.timer`.
    var name: String
    /// Absolute.
    var bucketPath: String
    /// Absolute.
    var program: String
    /// Nil means root.
    var user: String?
    /// As systemd.time(7) has it.
    var calendar: String

    var service: String {
        let command = [program, "drift", "--bucket", bucketPath, "--detailed-exitcode"]
        var lines = [
            "[Unit]",
            "Description=Compare workers with what was promoted to them",
            "Wants=network-online.target",
            "After=network-online.target",
            "",
            "[Service]",
            "Type=oneshot",
        ]
        if let user { lines.append("User=\(SystemdUnits.word(user))") }
        lines += [
            "# The colon keeps `$` in paths what it is.",
            "ExecStart=:" + command.map(SystemdUnits.word).joined(separator: " "),
            "# Exit code 2: something differs. 69: a worker does not answer. The unit fails with both, so that somebody looks:",
            "# `systemctl --failed` lists it, `journalctl -u \(name)` has what was found, and OnFailure= can tell people.",
            "TimeoutStartSec=1h",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    var timer: String {
        [
            "[Unit]",
            "Description=When workers are compared with what was promoted to them",
            "",
            "[Timer]",
            "OnCalendar=\(calendar)",
            "Unit=\(name).service",
            "# What was missed while this machine was off is caught up with once.",
            "Persistent=true",
            "RandomizedDelaySec=5min",
            "",
            "[Install]",
            "WantedBy=timers.target",
        ].joined(separator: "\n") + "\n"
    }
}
