package import Catalog
internal import Model
package import Plans
internal import Workers

/// Machines that go by another name have to show the receipts that are recorded of them, before anything that ran under
/// the old name is believed to run under the new one.
enum RenameProof {
    /// Those that show other receipts.
    static func strangers(_ renames: [Plan.Rename], _ reports: [WorkerName: PreflightReport]) -> [Plan.Rename] {
        renames.filter { rename in reports[rename.to].map { $0.generation != rename.generation } ?? false }
    }

    /// Of one that cannot be asked, in place of why.
    static func fault(_ rename: Plan.Rename, because reason: String) -> String {
        "it was \(rename.from) and has to show that it is that machine, which is never left out: \(reason)"
    }
}

extension Plan {
    /// Renames that a run has not recorded yet.
    package func renames(leftBy records: [StepRecord]) -> [Rename] {
        records.contains { $0.step == .renames } ? [] : renames
    }
}
