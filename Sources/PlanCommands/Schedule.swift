import Approvals
import ArgumentParser
import Commands
import Glibc
import Model
import Plans
import Review
import ThisHost
import UseCases
import Windows

struct Schedule: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints a systemd service and timer that apply a plan in its window, or look for drift.",
        discussion: """
            The timer fires at every opening of the plan's window, in its zone. The service applies the plan; where the run \
            is parked at the end of an opening (exit 75), the next one goes on. When the plan is done, the timer is disabled. \
            After any other exit code the unit has failed, a person looks, and the timer tries again at the next opening.

            With --drift, the service runs `maand-plan drift --detailed-exitcode`. It fails if anything differs (exit code 2) \
            or if a worker does not answer (69), and what was found is in the journal.

            Install what is printed: maand-plan schedule FILE --output DIR writes the two files; as root, copy them to \
            /etc/systemd/system, then `systemctl daemon-reload` and `systemctl enable --now NAME.timer`.
            """)

    @Argument(help: "The plan file; not with --drift.", completion: .file())
    var file: String?

    @Flag(help: "Compare the workers with what was promoted, again and again, in place of applying a plan.")
    var drift = false

    @Option(
        help: ArgumentHelp(
            "When to look for drift, as systemd.time(7) has it, such as \"Mon..Fri 06:00\"; without it `daily`.",
            valueName: "times"))
    var calendar: String?

    @OptionGroup var bucket: BucketOptions

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("The folder to write the two files to; without it, standard output.", valueName: "folder"),
        completion: .directory)
    var output: String?

    @Option(
        help: "The units' name; without it `maand-` or `maand-drift-` and the beginning of the plan's or bucket's id.")
    var name: String?

    @Option(help: "The user who runs it; without it the one who runs this command.")
    var user: String?

    @Option(
        help: ArgumentHelp(
            "The folder with the plan's signatures; without it the plan's name with `.sig.d`.", valueName: "folder"),
        completion: .directory)
    var signatures: String?

    @Option(
        help: ArgumentHelp(
            "The maand-apply to run; without it the one beside this program, else the one in PATH.", valueName: "file"),
        completion: .file())
    var apply: String?

    @Option(
        help: ArgumentHelp(
            "Leave out what ends before this instant, such as 2026-12-01T12:00:00Z; else before now.",
            valueName: "instant"))
    var at: String?

    func run() throws {
        if drift { return try scheduleDrift() }
        guard let file else { throw Failure(.usage, "no plan file is given", "name one, or give --drift") }
        if file == "-" { throw Failure(.usage, "a timer needs the plan in a file that stays") }
        if calendar != nil {
            throw Failure(.usage, "--calendar goes with --drift", "the window of a plan says when it is applied")
        }
        let plan = try PlanInput.read(file)
        let now = try at.map(WindowInput.instant) ?? Clock.system.now()
        let name = try unitName(else: "maand-\(plan.id.hex.prefix(12))")
        let (events, isOpen) = try events(plan.plan, file, now)
        let policy = environment("MAAND_POLICY")
        let units = SystemdUnits(
            name: name, plan: plan, planPath: try absolute(file), bucketPath: try absolute(bucket.folder),
            program: try program(applyProgram()), signatures: try signatures.map(absolute),
            policy: try policy.map(absolute), user: unitUser, events: events)
        if isOpen {
            printNotice("The window is open now: `systemctl start \(name).service` does not wait for the next one.")
        }
        try give(name, units.service, units.timer)
    }

    private func scheduleDrift() throws {
        if file != nil { throw Failure(.usage, "a plan file and --drift cannot be given together") }
        if signatures != nil || apply != nil || at != nil {
            throw Failure(.usage, "--signatures, --apply and --at are for the window of a plan, and not for --drift")
        }
        let times = calendar ?? "daily"
        guard !times.isEmpty, times.utf8.allSatisfy(Self.isOfCalendar) else {
            throw Failure(
                .usage, "--calendar: \"\(times)\" is no time of systemd", "`systemd-analyze calendar` checks one")
        }
        let name = try unitName(else: "maand-drift-\(bucket.configuration().bucketID.prefix(8))")
        let units = DriftUnits(
            name: name, bucketPath: try absolute(bucket.folder), program: try program(ownProgram), user: unitUser,
            calendar: times)
        try give(name, units.service, units.timer)
    }

    /// Whether a byte may stand in a time of systemd; `%` would begin a specifier.
    private static func isOfCalendar(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20) || " .,:*/~+_-".utf8.contains(byte)
    }

    private var unitUser: String? { user ?? (geteuid() == 0 ? nil : ApprovalCheck.user) }

    private func give(_ name: String, _ service: String, _ timer: String) throws {
        guard let output else {
            let text =
                "# /etc/systemd/system/\(name).service\n\(service)\n"
                + "# /etc/systemd/system/\(name).timer\n\(timer)"
            return try printResult(Array(text.utf8))
        }
        for (suffix, text) in [("service", service), ("timer", timer)] {
            let path = "\(output)/\(name).\(suffix)"
            do throws(HostFiles.Problem) {
                _ = try HostFiles.write(Array(text.utf8), to: path, overwrite: true)
            } catch {
                throw Failure(.failed, code: .fileNotWritten, "\(path) was not written: \(error.message)")
            }
        }
        printNotice("Wrote \(output)/\(name).service and \(name).timer.")
    }

    private func events(_ plan: Plan, _ file: String, _ now: Timestamp) throws -> (CalendarEvents, isOpen: Bool) {
        guard let window = plan.window else {
            throw Failure(
                .invalidInput, "\(file) has no window, so there is nothing to wait for",
                "apply it, or plan again with --window")
        }
        guard let rules = ZoneDatabase.system.rules(window.zone) else {
            throw Failure(
                .invalidInput, "this machine's time-zone data has no \(window.zone)", "install or update tzdata")
        }
        let freezes = try FreezeInput.read(bucket)
        let calendar = WindowCalendar(window, rules: rules, freezes: freezes)
        guard !calendar.openings(from: now, limit: 1).isEmpty else {
            throw Failure(.stale, "the window of \(file) does not open any more", "plan again with another --window")
        }
        let events = CalendarEvents(window, rules: rules, freezes: freezes, from: now)
        return (events, calendar.opening(at: now) != nil)
    }

    private func unitName(else usual: String) throws -> String {
        guard let name else { return usual }
        let isLegal = name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20) || "._-:".utf8.contains(byte)
        }
        guard isLegal, (1...200).contains(name.utf8.count), !name.hasPrefix("-"), !name.hasPrefix(".") else {
            throw Failure(.usage, "\"\(name)\" is no name for units", "letters, digits and `._-:`")
        }
        return name
    }

    private func program(_ found: String) throws -> String {
        let path = try absolute(found)
        // systemd takes no other path for the program itself, in whatever quotes.
        if path.contains(where: { "\"'\\".contains($0) }) {
            throw Failure(
                .invalidInput, "systemd runs no program whose path has quotes or backslashes: \(path)",
                drift ? "put it into another folder" : "name another one with --apply")
        }
        return path
    }

    /// The path of this program; empty if nobody can tell.
    private var ownProgram: String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        return String(decoding: buffer[..<max(0, count)].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private func applyProgram() throws -> String {
        if let apply { return apply }
        let own = ownProgram
        let beside = own.lastIndex(of: "/").map { String(own[..<$0]) } ?? ""
        let folders = [beside] + (environment("PATH") ?? "").split(separator: ":").map(String.init)
        for folder in folders where folder.hasPrefix("/") && access("\(folder)/maand-apply", X_OK) == 0 {
            return "\(folder)/maand-apply"
        }
        throw Failure(.usage, "no maand-apply is beside this program or in PATH", "name it with --apply")
    }

    /// The path as it is from everywhere; a link at its end stays one.
    private func absolute(_ path: String) throws -> String {
        let slash = path.lastIndex(of: "/")
        let last = slash.map { String(path[path.index(after: $0)...]) } ?? path
        let isFolder = ["", ".", ".."].contains(last)
        let folder = isFolder ? path : slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        guard let resolved = realpath(folder, nil) else {
            throw Failure(
                .invalidInput, code: .fileUnreadable, "\(path) cannot be found: \(String(cString: strerror(errno)))")
        }
        defer { free(resolved) }
        let base = String(cString: resolved)
        let whole = isFolder ? base : base == "/" ? "/\(last)" : "\(base)/\(last)"
        if whole.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
            throw Failure(.invalidInput, "\(path) has a control character, which no unit file can hold")
        }
        return whole
    }
}
