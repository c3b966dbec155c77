internal import Model
internal import Plans
internal import Windows

/// A run as Markdown, for a ticket: every text of the run is in a code span or block, or escaped.
public struct RunMarkdown {
    /// Most bytes of the text: what GitHub takes is 65,536.
    public static let maximumSize = 65_000
    private static let rows = 60
    private static let lines = 30
    private static let failures = 20

    /// The text, with a line feed at its end.
    public static func text(_ story: RunStory) -> String {
        let outline = RunOutline(story)
        var parts = ["# \(story.head.title)\n\nPlan `\(story.head.plan)`\n\n" + list(story.facts)]
        if let trouble = story.trouble(outline) { parts.append("**In short:** \(trouble.markdown)\n") }
        parts.append("## Jobs\n\n" + table(RunTables.jobs(outline)))
        if !outline.failures.isEmpty {
            parts.append("## Failures\n\n" + outline.failures.prefix(failures).map(failure).joined(separator: "\n"))
            let rest = outline.failures.count - failures
            if rest > 0 { parts.append("and \(Wording.count(rest, "more failure"))\n") }
        }
        let notable = outline.gates.filter(\.isNotable)
        if !outline.gates.isEmpty {
            let passed = "\(Wording.count(outline.gates.count - notable.count, "gate")) passed at the first attempt.\n"
            parts.append("## Gates\n\n" + (notable.isEmpty ? "" : table(RunTables.gates(notable)) + "\n") + passed)
        }
        if !story.leftBehind.isEmpty { parts.append("## Left behind\n\n" + table(RunTables.leftBehind(story))) }
        if !story.drained.isEmpty {
            parts.append(
                "Still drained: \(story.drained.map { "\($0.description)" as Phrase }.list(first: 50).markdown)\n")
        }
        parts.append(
            "## Decisions and approvals\n\n" + list(story.approvalFacts)
                + (story.decisions.isEmpty ? "" : "\n" + table(RunTables.decisions(story))))
        if !story.parts.isEmpty { parts.append("## Times\n\n" + table(RunTables.parts(story))) }
        if let plan = story.plan { parts.append("## Plan\n\n" + list(plan.aboutFacts.map(\.phrase))) }
        return joined(parts)
    }

    /// As many parts as there is room for.
    private static func joined(_ parts: [String]) -> String {
        var out = ""
        for part in parts {
            guard out.utf8.count + part.utf8.count < maximumSize - 200 else {
                return out + "\nThere is no room for the rest: `maand-apply report RUN --format html` shows all.\n"
            }
            out += (out.isEmpty ? "" : "\n") + part
        }
        return out
    }

    private static func list(_ phrases: [Phrase]) -> String { phrases.map { "- \($0.markdown)\n" }.joined() }

    private static func table(_ table: RunTable) -> String {
        var out = "| " + table.columns.map(\.title).joined(separator: " | ") + " |\n|"
        out += table.columns.map { $0.isNumber ? "---:|" : "---|" }.joined() + "\n"
        for row in table.rows.prefix(rows) {
            out += "| " + row.map { cell($0.phrase) }.joined(separator: " | ") + " |\n"
        }
        if table.rows.count > rows { out += "\nand \(Wording.count(table.rows.count - rows, "more row"))\n" }
        return out
    }

    /// In a table a bar ends a cell, also within a code span.
    private static func cell(_ phrase: Phrase) -> String { phrase.markdown.replacing("|", with: "\\|") }

    private static func failure(_ failure: RunOutline.Failure) -> String {
        var title: Phrase = "\(failure.what) \(own: failure.state.phrase)"
        if let workers = failure.workersPhrase { title = title + " on \(workers)" }
        if failure.isOvercome { title = title + "; it succeeded since" }
        var out = "- \(title.markdown)\n"
        for fact in failure.facts { out += "  - \(fact.markdown)\n" }
        for (name, text) in failure.streams {
            let shown = RunTables.lastLines(of: text).suffix(lines).map { Escaping.line($0, limit: 300) }
            let fence = Escaping.fence(for: shown)
            out += "\n  \(name), the end:\n\n  \(fence)text\n" + shown.map { "  \($0)\n" }.joined() + "  \(fence)\n"
        }
        return out
    }
}
