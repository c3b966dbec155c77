internal import Model
internal import Plans
internal import Windows

extension RunStory {
    /// What holds for the whole run.
    var facts: [Phrase] {
        var facts: [Phrase] = []
        if let plan { facts.append("\(own: plan.summaryLine)") }
        facts.append("begun \(own: head.startedAt.utcText) by \(head.startedBy)")
        let elapsed = durationText(milliseconds: RunSpan(from: head.startedAt, to: head.lastAt).milliseconds)
        let end: Phrase =
            head.endedAt.map { "ended \(own: $0.utcText), \(own: elapsed) later" }
            ?? "not ended when this was written, \(own: head.readAt.utcText), \(own: elapsed) later"
        facts.append(end + workPhrase)
        if let detail = head.detail { facts.append("\(own: head.code.map { "\($0): " } ?? "")\(detail)") }
        if policy != nil {
            facts.append(
                approvals.isEmpty
                    ? "approved by nobody"
                    : "approved by \(approvals.map { "\($0.principal)" as Phrase }.list(first: 20))")
        }
        if sections.contains(where: \.isWayBack) {
            facts.append(
                "\(own: head.state == RunState.rolledBack.rawValue ? "it went back" : "it goes back"): see the jobs below"
            )
        }
        return facts
    }

    /// How much of the time it was worked on.
    private var workPhrase: Phrase {
        if parts.isEmpty { return "" }
        let isRunning = head.state == RunState.running.rawValue
        let work = parts.reduce(into: Int64(0)) { sum, part in
            guard let end = part.endedAt ?? (isRunning ? head.readAt : nil) else { return }
            sum += RunSpan(from: part.beganAt, to: end).milliseconds
        }
        let count = Wording.count(parts.count, "part")
        return parts.count == 1 ? "" : ", worked on for \(own: durationText(milliseconds: work)) in \(own: count)"
    }

    var approvalFacts: [Phrase] {
        guard let policy else { return ["the run needed no approval: this host had no approval policy"] }
        if approvals.isEmpty { return ["approved by nobody; policy \(policy.description)"] }
        return ["approval policy \(policy.description)"]
            + approvals.map { approval in
                let when: Phrase = approval.writtenAt.map { ", signed \(own: $0.utcText)" } ?? ""
                return "approved by \(approval.principal) with the key \(approval.key)" + when
            }
    }

    /// What kept the run from its end, in one sentence; nil if nothing did.
    func trouble(_ outline: RunOutline) -> Phrase? {
        let open = outline.failures.filter { !$0.isOvercome }
        var sentences: [Phrase] = []
        if let first = open.first {
            let place: Phrase = first.workersPhrase.map { " on \($0)" } ?? ""
            let why: Phrase = first.detail.map { ": \($0.firstLine)" } ?? ""
            sentences.append("\(first.what) \(own: first.state.phrase)\(place)\(why)")
        }
        if open.count > 1 { sentences.append("\(own: Wording.count(open.count - 1, "more failure")) below") }
        if !leftBehind.isEmpty { sentences.append("\(own: Wording.count(leftBehind.count, "allocation")) left behind") }
        if !drained.isEmpty { sentences.append("\(own: Wording.count(drained.count, "allocation")) still drained") }
        return sentences.isEmpty ? nil : sentences.list("; ")
    }
}

extension RunOutline.Failure {
    /// `w1`, or `5 workers (w1, w2, …)`; nil if it is of no worker.
    var workersPhrase: Phrase? {
        let names = WorkerList.whole(workers)
        return workers.isEmpty ? nil : workers.count == 1 ? names : "\(workers.count) workers (\(names))"
    }

    /// The outcome and why, as sentences.
    var facts: [Phrase] {
        var facts: [Phrase] = []
        if let detail { facts.append("\(detail)") }
        var parts: [Phrase] = []
        if let exitStatus, detail?.contains("exit status") != true { parts.append("exit status \(exitStatus)") }
        if let code { parts.append("code \(code)") }
        parts.append("first at \(own: firstAt.utcText)")
        let step: Phrase =
            steps.count == 1
            ? "step \(steps[0].text), attempt \(attempt)"
            : "\(own: Wording.count(steps.count, "attempt")), such as of \(steps[0].text)"
        facts.append(parts.list() + "; " + step)
        return facts
    }

    /// What it printed: name and text of each stream that is not empty.
    var streams: [(name: String, text: String)] {
        [("standard output", output?.stdout ?? ""), ("standard error", output?.stderr ?? "")].filter { !$0.1.isEmpty }
    }
}

extension String {
    var firstLine: String { String(prefix { !$0.isNewline }) }
}
