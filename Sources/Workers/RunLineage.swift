/// The runs of a catalog from a certain one on. A copy of the catalog that was put back, or lives on beside the original,
/// lacks those that the workers have seen meanwhile.
public struct RunLineage: Sendable {
    let first: Int
    let nonces: [String]

    package init(first: Int, nonces: [String]) {
        self.first = first
        self.nonces = nonces
    }

    /// As the worker script takes it.
    var word: String { ([String(first)] + nonces).joined(separator: ".") }

    /// Whether an owner of this catalog's own controller is one of its runs, as far as can be told.
    package func knows(_ owner: Owner) -> Bool { owner.sequence < first || nonces.contains(owner.run) }
}
