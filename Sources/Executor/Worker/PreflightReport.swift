/// What a worker is like before a run begins.
public struct PreflightReport: Sendable, Hashable {
    /// Everything that stands in the way, at once, in words for people.
    public var faults: [String]
    /// Who owns the worker where that is somebody else; nothing was taken.
    public var otherOwner: Owner?
    /// Identifies the receipts directory; pass it to the session.
    public var generation: String
    /// The kernel's `boot_id`; another one means that the worker was booted since.
    public var bootID: String
    /// The worker's clock, seconds since 1970.
    public var clock: Int
    /// Free space where the bucket lies, in KiB.
    public var freeKiB: Int?

    /// The random part of `generation`: the same after a copy of the directory.
    var receipts: Substring { generation.prefix { $0 != "." } }

    /// Whether steps may be sent there.
    public var isReady: Bool { faults.isEmpty && otherOwner == nil }

    /// Room for receipts and for the files of a small job. A push that needs more says so itself, and touches nothing.
    static let neededKiB = 16 << 10

    /// What a clock may show: times before the year 10000.
    static let plausibleClock = 0...253_402_300_799
}

extension PreflightReport {
    init?(_ answer: WorkerAnswer, transport: any Transport) {
        guard answer["state"]?.text == "preflight" else { return nil }
        var facts: [String: String] = [:]
        for record in answer.records where record.name == "fact" {
            let words = record.words(2)
            if words.count == 2 { facts[words[0]] = words[1] }
        }
        guard let generation = facts["generation"], let boot = facts["boot"], let clock = facts["clock"] else {
            return nil
        }
        let shown = Int(clock).flatMap { Self.plausibleClock.contains($0) ? $0 : nil }
        self.generation = generation
        bootID = boot
        self.clock = shown ?? 0
        freeKiB = facts["free"].flatMap(Int.init)
        otherOwner = answer.owner
        faults = answer.records.filter { $0.name == "fault" }.map { record in
            let words = record.words(2)
            let detail = words.count > 1 ? words[1] : ""
            return switch words.first {
            case "tool": "\(detail) is not installed (looked for in the usual PATH)"
            case "directory": "\(detail) cannot be created"
            case "write": "\(detail) cannot be written"
            case "lock": "\(detail) is on a file system that does not lock files"
            default: record.text
            }
        }
        if shown == nil {
            faults.append(
                "its clock shows \(clock) seconds since 1970, which is no time. Set it, and look at `stat` there")
        }
        if transport.endsSessions, facts["killuserprocesses"] == "yes" {
            faults.append(
                "logind ends a user's processes with the session (KillUserProcesses=yes): services would not live on. "
                    + "Set it to no, or name the user in KillExcludeUsers, in /etc/systemd/logind.conf there")
        }
        if let freeKiB, freeKiB < Self.neededKiB {
            faults.append(
                "only \(freeKiB) KiB of disk are free where the bucket lies; at least \(Self.neededKiB) are needed")
        }
    }
}
