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
        abstract: "Prints a systemd service and timer that apply a plan in its window.",
        discussion: """
            The timer fires at every opening of the plan's window, in its zone. The service applies the plan; where the run \
            is parked at the end of an opening (exit 75), the next one goes on. When the plan is done, the timer is disabled. \
            After any other exit code the unit has failed, a person looks, and the timer tries again at the next opening.

            Install what is printed: maand-plan schedule FILE --output DIR writes the two files; as root, copy them to \
            /etc/systemd/system, then `systemctl daemon-reload` and `systemctl enable --now NAME.timer`.
            """)

    @Argument(help: "The plan file.", completion: .file())
    var file: String

    @OptionGroup var bucket: BucketOptions

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("The folder to write the two files to; without it, standard output.", valueName: "folder"),
        completion: .directory)
    var output: String?

    @Option(help: "The units' name; without it `maand-` and the beginning of the plan's id.")
    var name: String?

    @Option(help: "The user who applies; without it the one who runs this command.")
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
        if file == "-" { throw Failure(.usage, "a timer needs the plan in a file that stays") }
        let plan = try PlanInput.read(file)
        let now = try at.map(WindowInput.instant) ?? Clock.system.now()
        let name = try unitName(plan)
        let (events, isOpen) = try events(plan.plan, now)
        let policy = environment("MAAND_POLICY")
        let units = SystemdUnits(
            name: name, plan: plan, planPath: try absolute(file), bucketPath: try absolute(bucket.folder),
            program: try program(), signatures: try signatures.map(absolute), policy: try policy.map(absolute),
            user: user ?? (geteuid() == 0 ? nil : ApprovalCheck.user), events: events)
        if isOpen {
            printNotice("The window is open now: `systemctl start \(name).service` does not wait for the next one.")
        }
        guard let output else {
            let text =
                "# /etc/systemd/system/\(name).service\n\(units.service)\n"
                + "# /etc/systemd/system/\(name).timer\n\(units.timer)"
            return try printResult(Array(text.utf8))
        }
        for (suffix, text) in [("service", units.service), ("timer", units.timer)] {
            let path = "\(output)/\(name).\(suffix)"
            do throws(HostFiles.Problem) {
                _ = try HostFiles.write(Array(text.utf8), to: path, overwrite: true)
            } catch {
                throw Failure(.failed, code: .fileNotWritten, "\(path) was not written: \(error.message)")
            }
        }
        printNotice("Wrote \(output)/\(name).service and \(name).timer.")
    }

    private func events(_ plan: Plan, _ now: Timestamp) throws -> (CalendarEvents, isOpen: Bool) {
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

    private func unitName(_ plan: PlanFile) throws -> String {
        guard let name else { return "maand-\(plan.id.hex.prefix(12))" }
        let isLegal = name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20) || "._-:".utf8.contains(byte)
        }
        guard isLegal, (1...200).contains(name.utf8.count), !name.hasPrefix("-"), !name.hasPrefix(".") else {
            throw Failure(.usage, "\"\(name)\" is no name for units", "letters, digits and `._-:`")
        }
        return name
    }

    private func program() throws -> String {
        let path = try absolute(try foundProgram())
        // systemd takes no other path for the program itself, in whatever quotes.
        if path.contains(where: { "\"'\\".contains($0) }) {
            throw Failure(
                .invalidInput, "systemd runs no program whose path has quotes or backslashes: \(path)",
                "name another one with --apply")
        }
        return path
    }

    private func foundProgram() throws -> String {
        if let apply { return apply }
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let own = String(decoding: buffer[..<max(0, count)].map(UInt8.init(bitPattern:)), as: UTF8.self)
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
