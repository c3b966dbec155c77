internal import Model

/// What a worker was when a rollout last saw it: where it was reached, the keys that it was known by, and the receipts that
/// were there. By this a worker that goes by another name is recognised.
public struct Machine: Equatable, Sendable {
    /// As connections used it.
    public var address: String
    /// In `Plan.portRange`.
    public var port: Int
    /// `SHA256:` and base64; empty where the plan knew none.
    public var hostKeys: [String]
    /// Identifies the bucket's receipts there, as long as the folder lives; a copy of the folder, or one that was put back,
    /// has another.
    public var generation: String

    public init(address: String, port: Int, hostKeys: [String], generation: String) {
        self.address = address
        self.port = port
        self.hostKeys = hostKeys
        self.generation = generation
    }

    /// What a run sees of a worker of its plan.
    ///
    /// - Returns: nil where such a worker has no machine of its own, or where it tells a generation that is none.
    public init?(_ worker: PlanWorker, generation: String) {
        guard let ssh = worker.ssh, Self.isGeneration(generation) else { return nil }
        self.init(address: worker.address, port: ssh.port, hostKeys: ssh.hostKeys, generation: generation)
    }

    /// Whether a text is of the form of generations: random letters and digits, then numbers of the file that has them, with
    /// dots between.
    static func isGeneration(_ text: String) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return text.utf8.count <= 128 && parts.count > 1
            && parts.allSatisfy { part in
                !part.isEmpty && part.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
            }
    }
}

extension PlanWorker {
    /// From now on it is reached where a run last saw it; without ssh there is no such place.
    package mutating func place(as machine: Machine) {
        guard ssh != nil else { return }
        address = machine.address
        ssh?.port = machine.port
        ssh?.hostKeys = machine.hostKeys
    }
}
