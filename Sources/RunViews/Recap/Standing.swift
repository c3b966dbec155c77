/// Where an allocation or a worker of a run stands.
public enum Standing: Sendable, CaseIterable {
    /// Nothing of it has begun.
    case waiting
    /// Something of it has begun and the rest has not, or nobody knows yet what came of it.
    case begun
    /// Everything of its own is done, and the gate behind it has not passed yet: no success.
    case ungated
    /// Everything of its own is done, and the gate behind it has not passed.
    case gateFailed
    /// Everything is done, and the gate behind it, if there is one, has passed.
    case done
    case failed
    case unreachable
    /// Nobody can tell if a command of it ran.
    case unknown
    /// The run goes on without it.
    case leftBehind
    /// It needs nothing, as it has said: a worker that needs no reboot.
    case notNeeded
    /// The run has gone back, and it is what it was before.
    case takenBack

    /// Of two parts of one allocation the one that counts.
    static func worse(_ a: Self, _ b: Self) -> Self { a.weight >= b.weight ? a : b }

    private var weight: Int {
        switch self {
        case .notNeeded: 0
        case .done: 1
        case .takenBack: 2
        case .waiting: 3
        case .ungated: 4
        case .begun: 5
        case .leftBehind: 6
        case .unreachable: 7
        case .gateFailed: 8
        case .failed: 9
        case .unknown: 10
        }
    }

    /// What follows a number of allocations: `6 promoted`.
    ///
    /// - Parameter deed: what is done to one, as a participle.
    func phrase(deed: String) -> String {
        switch self {
        case .waiting: "not begun"
        case .begun: "begun"
        case .ungated: "\(deed), gate not passed yet"
        case .gateFailed: "\(deed), gate failed"
        case .done: deed
        case .failed: "failed"
        case .unreachable: "unreachable"
        case .unknown: "unknown"
        case .leftBehind: "left behind"
        case .notNeeded: "without need"
        case .takenBack: "taken back"
        }
    }

    /// In which order a line names them: first what is well, last what has not begun.
    static let shown: [Standing] = [
        .done, .takenBack, .ungated, .gateFailed, .failed, .unreachable, .unknown, .begun, .leftBehind, .notNeeded,
        .waiting,
    ]
}
