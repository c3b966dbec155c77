internal import Model
internal import Templates
internal import YAML

/// Collects what is wrong with templates, over all jobs and workers, so that one plan reports everything. What is the same
/// for several workers is one error.
struct TemplateFailures {
    private struct Place: Hashable {
        var file: String
        var mark: Mark
        var message: String
        var note: String?
    }

    private var places: [Place] = []
    private var workers: [Place: (first: WorkerName, others: Int)] = [:]
    private var omitted = 0
    /// How many there were, those that are the same each.
    private(set) var count = 0

    /// Errors that are kept; further ones are only counted.
    private static let limit = 100

    /// - Parameter worker: for which it would have been rendered.
    mutating func add(_ problems: [(file: String, problem: TemplateProblem)], _ worker: WorkerName) {
        count += problems.count
        for (file, problem) in problems {
            let place = Place(file: file, mark: problem.mark, message: problem.message, note: problem.note)
            if workers[place] != nil {
                workers[place]?.others += 1
            } else if places.count < Self.limit {
                workers[place] = (worker, 0)
                places.append(place)
            } else {
                omitted += 1
            }
        }
    }

    /// - Parameter certificates: are missing, too.
    /// - Throws: `InputFailure` with all errors; nothing if nothing is wrong with templates.
    func check(
        and certificates: [PlanningError.MissingCertificates] = [], _ workspace: Workspace? = nil
    ) throws(InputFailure) {
        let lacking = certificates.map { missing in
            Diagnostic(
                file: "\(workspace?.folderOfJobs ?? "")/\(missing.job)/manifest.json",
                message: "job \(missing.job): \(missing.problems.listed(first: 5))",
                note: PlanningError.MissingCertificates.advice)
        }
        let errors = places.map { place in
            let (first, others) = workers[place].map { ($0.first.text, $0.others) } ?? ("", 0)
            let rest = others == 0 ? "" : " and \(others) \(others == 1 ? "other" : "others")"
            return Diagnostic(
                file: place.file, mark: place.mark, message: "\(place.message) (for worker \(first)\(rest))",
                note: place.note)
        }
        if let first = errors.first { throw InputFailure(first, Array(errors.dropFirst()) + lacking, omitted: omitted) }
    }
}
