internal import Model
public import Plans
internal import Windows

/// Something that a rollout depends on and that the plan neither holds nor binds by a digest.
///
/// A reviewer approves a plan in spite of these, so every format lists them.
public struct UnpinnedInput: Equatable, Sendable {
    /// What it is, in our own words.
    public let subject: String
    var phrase: Phrase

    /// One sentence, escaped for a terminal.
    public var detail: String { phrase.terminal }

    /// In a few words, for a list of all.
    var short: Phrase { "\(own: subject.prefix(1).lowercased() + subject.dropFirst())" }
    init(subject: String, detail: Phrase) {
        self.subject = subject
        phrase = detail
    }

    /// Whether both say the same.
    public static func == (a: Self, b: Self) -> Bool { a.subject == b.subject && a.detail == b.detail }
}

extension PlanKind {
    /// Whether anything is pushed to workers or run there by the plan itself.
    fileprivate var touchesWorkers: Bool {
        switch self {
        case .deploy, .restart, .start, .stop, .runTarget, .runCommand, .reboot: true
        case .jobCommand: false
        }
    }
}

extension Plan {
    /// What may change what this plan does, without a byte of the plan being changed. Empty where it does nothing.
    public var unpinned: [UnpinnedInput] {
        if isEmpty { return [] }
        var list: [UnpinnedInput] = []
        if kind.touchesWorkers {
            list.append(
                UnpinnedInput(
                    subject: "Programs on the workers",
                    detail:
                        "make, shells, interpreters and everything that targets and checks call are used as they are there."
                ))
            list.append(
                UnpinnedInput(
                    subject: "What targets fetch",
                    detail: "Packages, images and downloads are whatever their servers give at that time."))
        }
        list.append(
            UnpinnedInput(
                subject: hasHooks ? "Values of variables and secrets" : "Values of secrets",
                detail: hasHooks
                    ? "Hooks read them as they are then, and may write others; of secrets a plan holds none. What services "
                        + "read from elsewhere may change after the review."
                    : "A plan never holds them. What services read from elsewhere may change after the review."))
        let providers = Set(waves.flatMap(\.jobs).flatMap(\.secrets).compactMap(\.provider))
        if !providers.isEmpty {
            list.append(
                UnpinnedInput(
                    subject: "Providers of secrets",
                    detail: "Programs are run and files are read on the controller as they are then: "
                        + providers.map(\.description).sorted().map { "\($0)" as Phrase }.list(first: 5)
                        + ". Another value than that of the plan is not sent."))
        }
        if kind.touchesWorkers {
            list.append(
                UnpinnedInput(
                    subject: "data/ and logs/ of each job",
                    detail: "They belong to the jobs; targets find them as the last release left them."))
        }
        list.append(
            UnpinnedInput(
                subject: "Freezes of the bucket",
                detail:
                    "\(FreezeFile.path) is not in the plan; as it is then, it may hold any run, also one that has begun."
            ))
        if hasHooks { list += unpinnedOfHooks }
        switch fleet.transport {
        case .local where kind.touchesWorkers:
            list.append(
                UnpinnedInput(
                    subject: "The controller",
                    detail: "Its own programs run the targets: workers are folders there."))
        case .local: break
        case .ssh:
            let unknown = fleet.workers.filter { $0.ssh?.hostKeys.isEmpty != false }
            if !unknown.isEmpty {
                list.append(
                    UnpinnedInput(
                        subject: "Host keys of \(Wording.count(unknown.count, "worker"))",
                        detail:
                            "The plan names none for \(WorkerList.phrase(unknown.map(\.worker))): known_hosts of the "
                            + "controller decides who answers."))
            }
            let named = fleet.workers.filter { !Self.isNumeric($0.address) }
            if !named.isEmpty {
                list.append(
                    UnpinnedInput(
                        subject: "Name resolution",
                        detail:
                            "\(own: Wording.count(named.count, "address", "addresses")) of workers are names; which hosts "
                            + "these are is decided when the plan is applied."))
            }
        }
        return list
    }

    private var unpinnedOfHooks: [UnpinnedInput] {
        var list = [
            UnpinnedInput(
                subject: "Programs on the controller",
                detail:
                    "The interpreters of hooks (python3, bun, sh) and everything that they call are used as they are there."
            ),
            UnpinnedInput(
                subject: "What hooks fetch and read",
                detail: "Answers of other systems, and files beside _modules, are whatever they are at that time."),
            UnpinnedInput(
                subject: "Variables of the applying process",
                detail:
                    "Hooks get its PATH, HOME, locale, proxies and ssh-agent, and what hook_environment of maand.conf names."
            ),
        ]
        let python = jobsWithPython
        if !python.isEmpty {
            let jobs = python.map { "\($0)" as Phrase }.list(first: 8)
            list.append(
                UnpinnedInput(
                    subject: "Virtual environments",
                    detail:
                        "Hooks in Python of \(jobs) run with what hook_venvs of maand.conf on the controller names, as it is "
                        + "then; else with its python3."))
        }
        if hooksOfJobs.contains(where: {
            $0.hooks.contains { $0.script.hasSuffix(".ts") || $0.script.hasSuffix(".js") }
        }) {
            list.append(
                UnpinnedInput(
                    subject: "Packages of bun",
                    detail:
                        "What scripts import beyond _modules, bun takes from node_modules of the bucket's folder or of one "
                        + "above it, or fetches."))
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
