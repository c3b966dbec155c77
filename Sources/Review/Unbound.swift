public import Model

/// Something that a rollout depends on and that the plan neither holds nor binds by a digest (DESIGN 4).
///
/// A reviewer approves a plan in spite of these, so every format lists them.
public struct Unbound: Equatable, Sendable {
    public let subject: String
    let phrase: Phrase

    /// One sentence, escaped for a terminal.
    public var detail: String { phrase.terminal }

    init(subject: String, detail: Phrase) {
        self.subject = subject
        phrase = detail
    }

    public static func == (a: Self, b: Self) -> Bool { a.subject == b.subject && a.detail == b.detail }
}

extension Plan {
    /// What may change what this plan does, without a byte of the plan being changed. Empty where it does nothing.
    public var unbound: [Unbound] {
        if isEmpty { return [] }
        var list = [
            Unbound(
                subject: "Programs on the workers",
                detail:
                    "make, shells, interpreters and everything that targets and checks call are used as they are there."
            ),
            Unbound(
                subject: "What targets fetch",
                detail: "Packages, images and downloads are whatever their servers give at that time."),
            Unbound(
                subject: "Values of secrets",
                detail: "A plan never holds them. What services read from elsewhere may change after the review."),
            Unbound(
                subject: "data/ and logs/ of each job",
                detail: "They belong to the jobs; targets find them as the last release left them."),
        ]
        switch transport {
        case .local:
            list.append(
                Unbound(
                    subject: "The applying machine",
                    detail: "Its own programs run the targets: workers are folders there."))
        case .ssh:
            let unknown = workers.filter { $0.ssh?.hostKeys.isEmpty != false }
            if !unknown.isEmpty {
                list.append(
                    Unbound(
                        subject: "Host keys of \(Wording.count(unknown.count, "worker"))",
                        detail:
                            "The plan names none for \(WorkerList.phrase(unknown.map(\.worker))): known_hosts of the "
                            + "applying machine decides who answers."))
            }
            let named = workers.filter { !Self.isNumeric($0.address) }
            if !named.isEmpty {
                list.append(
                    Unbound(
                        subject: "Name resolution",
                        detail:
                            "\(own: Wording.count(named.count, "address", "addresses")) of workers are names; which hosts "
                            + "these are is decided when the plan is applied."))
            }
        }
        return list
    }

    /// Whether the address is an IPv4 or IPv6 address, which nothing has to look up.
    private static func isNumeric(_ address: String) -> Bool {
        if address.contains(":") { return true }
        let parts = address.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    }
}
