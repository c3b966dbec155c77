internal import Model
internal import Workers

/// Finds workers that are not machines of their own: one machine under two names, a copy of another, or a shared folder.
/// A step on one of them would be a second step on the other.
enum Twins {
    /// What to say of each such worker.
    static func faults(_ reports: [WorkerName: PreflightReport]) -> [WorkerName: String] {
        var faults: [WorkerName: String] = [:]
        let families = Dictionary(grouping: reports) { $0.value.receipts }.values.filter { $0.count > 1 }
        for family in families {
            for (worker, report) in family {
                let others = family.filter { $0.key != worker }
                let same = others.filter {
                    $0.value.generation == report.generation && $0.value.bootID == report.bootID
                }
                faults[worker] = same.isEmpty ? copy(names(others)) : twin(names(same))
            }
        }
        return faults
    }

    private static func names(_ reports: [(key: WorkerName, value: PreflightReport)]) -> String {
        reports.map(\.key).sorted().map(\.text).listed(first: 5)
    }

    static func twin(_ others: String) -> String {
        "it is the same machine as \(others). Leave one of the names in workers.json, or correct the addresses"
    }

    private static func copy(_ others: String) -> String {
        "the bucket's folder there is a copy of that on \(others), or both are one shared folder. Give each worker a disk of "
            + "its own; on the one that is the copy, remove the bucket's folder below worker_root"
    }
}
