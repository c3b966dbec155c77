import ArgumentParser
import Commands
import Model
import Plans

/// Which workers a plan is for.
struct SelectionOptions: ParsableArguments {
    @Option(
        name: [.customLong("workers"), .customLong("allocations")],
        help: ArgumentHelp(
            "Only on these workers, separated by commas. --allocations means the same.", valueName: "a,b"))
    var workers: String?

    @Option(help: ArgumentHelp("Only on workers with one of these labels, separated by commas.", valueName: "a,b"))
    var labels: String?

    @Option(help: ArgumentHelp("Not on these workers, separated by commas.", valueName: "a,b"))
    var exclude: String?

    func selection() throws -> Plan.Selection {
        if workers != nil, labels != nil {
            throw Failure(.usage, "--workers and --labels cannot be given together", "name workers, or labels")
        }
        return Plan.Selection(
            workers: try names(workers, "--workers"), labels: try labelNames(), exclude: try names(exclude, "--exclude")
        )
    }

    private func names(_ list: String?, _ option: String) throws -> [WorkerName] {
        guard let list else { return [] }
        return try WorkerName.list(list) { part in
            Failure(.usage, "\(option): \"\(part)\" is not the name of a worker", "separate names by commas")
        }
    }

    private func labelNames() throws -> [String] {
        guard let labels else { return [] }
        let names = labels.split(separator: ",", omittingEmptySubsequences: false).map { String($0).foldedLabel }
        if names.contains("") { throw Failure(.usage, "--labels: a label is empty", "separate labels by commas") }
        return names
    }
}

/// How many workers may fail to answer.
struct UnreachableOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How many allocations of each job may be left behind because their workers cannot be used, in place of "
                + "`rollout.max_unreachable` in the manifests: a number, or a share of the job's active allocations.",
            valueName: "N|N%"))
    var maxUnreachable: String?

    func limit() throws -> HostCount? { try maxUnreachable.map { try HostCount.option($0, "--max-unreachable") } }
}

extension HostCount {
    /// The value of an option.
    ///
    /// - Throws: `Failure` if it is no number of hosts.
    static func option(_ text: String, _ option: String) throws -> HostCount {
        if let count = HostCount(text) { return count }
        throw Failure(.usage, "\(option): \"\(text)\" is no number of hosts", "such as 2, or 2% of each job")
    }
}
