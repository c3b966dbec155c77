import Model
import Plans
import Windows

/// A service that applies a plan, and the timer that starts it at the openings of the plan's window.
struct SystemdUnits {
    /// Without `.service` and `.timer`.
    var name: String
    var plan: PlanFile
    /// Absolute paths.
    var planPath: String
    var bucketPath: String
    var program: String
    /// Where it is not the usual one.
    var signatures: String?
    /// What `MAAND_POLICY` names.
    var policy: String?
    /// Nil means root.
    var user: String?
    var events: CalendarEvents

    var service: String {
        var command = [program, planPath, "--bucket", bucketPath]
        if let signatures { command += ["--signatures", signatures] }
        var lines = [
            "[Unit]",
            "Description=Apply the plan \(plan.id.hex.prefix(12)) in its maintenance window",
            "Wants=network-online.target",
            "After=network-online.target",
            "",
            "[Service]",
            "Type=oneshot",
        ]
        if let user { lines.append("User=\(Self.word(user))") }
        if let policy { lines.append("Environment=\(Self.word("MAAND_POLICY=" + policy))") }
        lines += [
            // The colon keeps `$` in paths what it is.
            "ExecStart=:" + command.map(Self.word).joined(separator: " "),
            "# Parked until the next opening: no failure.",
            "SuccessExitStatus=75",
            "# Killed in the middle of an opening: the same command goes on. An exit code of its own is for a person.",
            "Restart=on-abnormal",
            "RestartSec=10",
            "# Done: the timer is not needed any more.",
            "ExecStopPost=+:/bin/sh -c 'test \"$EXIT_STATUS\" != 0 || systemctl disable --now \(name).timer'",
            "# SIGTERM parks the run when what is in flight has ended.",
            "KillMode=\(killMode)",
            "TimeoutStartSec=infinity",
            "TimeoutStopSec=\(longestStep + 60)",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    var timer: String {
        var lines = [
            "[Unit]",
            "Description=Openings of the window of the plan \(plan.id.hex.prefix(12))",
            "",
            "[Timer]",
        ]
        lines += events.rules.map { "OnCalendar=\($0)" }
        if !events.exceptions.isEmpty {
            lines.append(
                "# Where the clocks are set forward over the rule's time, and where freezes end (until "
                    + "\(events.horizon.utcText.prefix(10))).")
            lines += events.exceptions.map { "OnCalendar=\($0)" }
        }
        lines += [
            "Unit=\(name).service",
            "# An opening that began while this machine was off is caught up with; outside of it nothing runs.",
            "Persistent=true",
            "# Windows are exact, and a batch that does not fit waits for the next one.",
            "AccuracySec=1s",
            "RandomizedDelaySec=0",
            "",
            "[Install]",
            "WantedBy=timers.target",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    /// What targets have started on workers that are folders of this machine lives on when the run ends.
    private var killMode: String {
        switch plan.plan.fleet.transport {
        case .local: "process"
        case .ssh: "mixed"
        }
    }

    /// Seconds.
    private var longestStep: Int {
        let jobs = plan.plan.waves.flatMap(\.jobs).map { max($0.timeouts.action, $0.timeouts.hook, $0.timeouts.push) }
        return max(jobs.max() ?? 0, plan.plan.reconcile.map(\.timeout).max() ?? 0)
    }

    /// One argument as systemd.syntax(7) and systemd.unit(5) read it: `%` begins a specifier, quotes and backslashes are
    /// those of C. Control characters are not in it (see `Schedule.absolute`).
    static func word(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20)
                || "/._-+=:@,".utf8.contains(byte)
        }
        if isPlain, !text.isEmpty { return text }
        let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("%", with: "%%")
        return "\"\(escaped)\""
    }
}
