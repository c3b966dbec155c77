internal import Model
public import Plans

extension DriftReport {
    /// Lines of all diffs together.
    private static let diffLines = 10_000
    /// Lines of the diff of one file.
    private static let fileLines = 400

    /// Makes the diffs from the contents that were fetched, which are let go.
    public mutating func addDiffs() {
        var rest = Self.diffLines
        for index in files.indices {
            guard let contents = files[index].contents else { continue }
            files[index].contents = nil
            guard rest > 0 else {
                files[index].note = "not shown: there is enough to show"
                continue
            }
            switch FileDiff(contents.expected, contents.found, limit: min(Self.fileLines, rest)) {
            case .note(let note): files[index].note = note
            case .lines(let lines, let hidden):
                files[index].diff = lines.map { $0.kind.prefix + $0.text }
                files[index].diffLeftOut = hidden
                rest -= lines.count
            }
        }
    }

    /// What was found, in one line.
    public var summaryLine: String {
        if workers == 0 { return "Nothing is deployed there, so nothing was compared." }
        let answering = workers - silent.count
        let compared =
            "\(Wording.count(allocations, "allocation")) on \(Wording.count(answering, "worker")) compared"
        var parts: [String] = []
        if !differing.isEmpty { parts.append("\(differing.count) \(differing.count == 1 ? "differs" : "differ")") }
        let sick = services.reduce(0) { $0 + $1.failing.count }
        if sick > 0 { parts.append("\(sick) \(sick == 1 ? "does" : "do") not pass the health check") }
        if !foreign.isEmpty {
            parts.append(Wording.count(foreign.count, "worker of somebody else", "workers of somebody else"))
        }
        if !notCompared.isEmpty { parts.append("\(notCompared.count) could not be compared") }
        if parts.isEmpty { parts.append("nothing differs") }
        if !silent.isEmpty {
            parts.append("\(Wording.count(silent.count, "worker does not answer", "workers do not answer"))")
        }
        return "\(compared): \(parts.joined(separator: ", "))."
    }

    /// What a reader has to know of the comparison.
    var headPhrases: [Phrase] {
        var phrases: [Phrase] = []
        if let underWay {
            switch (underWay.run, underWay.isAtWork) {
            case (let run?, true):
                phrases.append("Run \(run.number) is under way: what it changes may be listed here, too.")
            case (let run?, false):
                let state = underWay.state?.rawValue ?? ""
                phrases.append(
                    "Run \(run.number) has not ended (\(own: state)): what it has begun is listed as unfinished.")
            case (nil, _): phrases.append("A command holds the bucket now: what it changes may be listed here, too.")
            }
        }
        if let servicesProblem { phrases.append("Health checks could not be asked: \(servicesProblem)") }
        let counts = Service.State.allCases.compactMap { state -> String? in
            let count = services.count { $0.state == state }
            return count == 0 ? nil : "\(count) \(state.words)"
        }
        if !counts.isEmpty { phrases.append("Health checks of jobs: \(own: counts.joined(separator: ", ")).") }
        if filesLeftOut > 0 {
            phrases.append(
                "Not listed: \(own: Wording.count(filesLeftOut, "more difference of a file", "more differences of files"))."
            )
        }
        return phrases
    }
}

extension DriftReport.Service.State {
    fileprivate var words: String {
        switch self {
        case .healthy: "healthy"
        case .unhealthy: "unhealthy"
        case .unchecked: "without a check"
        case .unasked: "not asked"
        }
    }
}
