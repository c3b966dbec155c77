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
    package var receipts: Substring { generation.prefix { $0 != "." } }

    /// Whether steps may be sent there.
    public var isReady: Bool { faults.isEmpty && otherOwner == nil }

    /// Room for receipts and for the files of a small job. A push that needs more says so itself, and touches nothing.
    static let neededKiB = 16 << 10

    /// Faults that are told; the script knows fewer kinds than this.
    private static let faultLimit = 20

    /// What a clock may show: times before the year 10000.
    static let plausibleClock = 0...253_402_300_799
}

extension PreflightReport {
    /// - Throws: ``InvalidAnswer`` where the answer is not one to a preflight.
    init(_ answer: WorkerAnswer, transport: any Transport) throws(InvalidAnswer) {
        guard answer["state"]?.text == "preflight" else { throw answer.unexpected }
        var facts: [String: String] = [:]
        for record in answer.records where record.name == "fact" {
            let words = record.words(2)
            if words.count == 2 { facts[words[0]] = words[1] }
        }
        generation = try AnswerText.word(facts["generation"], "the generation of its receipts")
        bootID = try AnswerText.word(facts["boot"], "its boot id")
        let clock = facts["clock"] ?? ""
        let shown = Int(clock).flatMap { Self.plausibleClock.contains($0) ? $0 : nil }
        self.clock = shown ?? 0
        freeKiB = try facts["free"].map { free throws(InvalidAnswer) in
            try AnswerText.number(free, in: 0...(.max), "the free space of its disk")
        }
        otherOwner = try answer.owner
        faults = answer.records.lazy.filter { $0.name == "fault" }.prefix(Self.faultLimit).map { record in
            let words = record.words(2)
            let detail = words.count > 1 ? InvalidAnswer.cut(words[1]) : ""
            return switch words.first {
            case "tool": "\(detail) is not installed (looked for in the usual PATH)"
            case "directory": "\(detail) cannot be created"
            case "write": "\(detail) cannot be written"
            case "lock": "\(detail) is on a file system that does not lock files"
            default: InvalidAnswer.cut(record.text)
            }
        }
        if shown == nil {
            faults.append(
                "its clock shows \(InvalidAnswer.cut(clock)) seconds since 1970, which is no time. Set it, and look at `stat` there"
            )
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
