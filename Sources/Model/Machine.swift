internal import YAML

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

    func emit(of worker: WorkerName, into out: inout Emitter) {
        out.mappingItem(.flow) { out in
            out.field("worker", .string(worker.text))
            out.field("address", .string(address))
            out.field("port", .int(port))
            out.sequence("host_keys", .flow) { out in for key in hostKeys { out.item(.string(key)) } }
            out.field("generation", .string(generation))
        }
    }
}

extension NodeReading {
    /// A generation of receipts.
    func generation(_ node: Node?) -> String? {
        guard let node, let text = string(node) else { return nil }
        guard Machine.isGeneration(text) else {
            reader.error(node, "a generation of receipts is letters and digits, with dots between")
            return nil
        }
        return text
    }

    func machine(_ node: Node) -> (WorkerName, Machine)? {
        fields(node) { map in
            let worker: WorkerName? = name(map.required("worker"))
            let address = string(map.required("address"))
            let port = integer(map.required("port"), Plan.portRange)
            let keys = list(map.required("host_keys"), string)
            let generation = generation(map.required("generation"))
            guard let worker, let address, let port, let keys, let generation else { return nil }
            return (worker, Machine(address: address, port: port, hostKeys: keys, generation: generation))
        }
    }
}
