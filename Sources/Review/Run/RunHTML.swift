internal import Model
internal import Plans
internal import Windows

/// A run as one HTML page for a change ticket: no script, no font, no request. Its own policy forbids all of them.
public struct RunHTML {
    private let story: RunStory
    private let outline: RunOutline
    private var out = ""

    /// Rows of one kind that are shown; the others are counted.
    private static let manyRows = 500
    /// Failures whose output is unfolded.
    private static let fewFailures = 3

    /// The page, UTF-8.
    public static func page(_ story: RunStory) -> String {
        var page = RunHTML(story)
        page.write()
        return page.out
    }

    private init(_ story: RunStory) {
        self.story = story
        outline = RunOutline(story)
    }

    private mutating func write() {
        out += HTMLStyle.opening(title: story.head.title, RunStyle.css)
        writeHead()
        writeJobs()
        writeFailures()
        writeTimeline()
        writeGates()
        writeLeftBehind()
        writeDecisions()
        writeParts()
        writePlan()
        out += "</main>\n</body>\n</html>\n"
    }

    private mutating func section(_ id: String, _ title: String, _ body: (inout Self) -> Void) {
        out += "<section id=\"\(id)\">\n<h2>\(title)</h2>\n"
        body(&self)
        out += "</section>\n"
    }

    private mutating func hint(_ text: String) { out += "<p class=\"hint\">\(Escaping.entities(text))</p>\n" }

    // MARK: Head

    private mutating func writeHead() {
        out +=
            "<header>\n<h1>\(Escaping.entities(story.head.title))</h1>\n<p class=\"id\">plan \(story.head.plan)</p>\n"
        out += "<ul class=\"facts\">\n" + story.facts.map { "<li>\($0.html)</li>\n" }.joined() + "</ul>\n"
        if let why = story.trouble(outline) { out += "<div class=\"box\"><p>\(why.html)</p></div>\n" }
        var links = [("jobs", "Jobs")]
        if !outline.failures.isEmpty { links.append(("failures", "Failures")) }
        links += [("timeline", "Timeline")]
        if !outline.gates.isEmpty { links.append(("gates", "Gates")) }
        if !story.leftBehind.isEmpty || !story.drained.isEmpty { links.append(("left-behind", "Left behind")) }
        links += [("decisions", "Decisions and approvals"), ("times", "Times"), ("plan", "Plan")]
        out += "<nav class=\"contents\">" + links.map { "<a href=\"#\($0.0)\">\($0.1)</a>" }.joined(separator: " ")
        out += "</nav>\n</header>\n"
    }

    // MARK: Jobs

    private mutating func writeJobs() {
        section("jobs", "Jobs") { page in
            if let problem = page.story.planProblem { page.hint("The plan cannot be read: \(problem)") }
            page.table(RunTables.jobs(page.outline))
        }
    }

    private mutating func writeTimeline() {
        let timeline = RunTimeline(story)
        section("timeline", "Timeline") { page in
            if timeline.rows.isEmpty { return page.hint("Nothing was begun.") }
            page.hint(
                "A row for each job (hooks, gates and bakes of the job as a whole), then one for each worker. The thin line below "
                    + "a bar reaches to the time within which half of such steps were done in earlier runs. Of many workers, those "
                    + "that did the same in the same batches are one row, and those with a failure come first.")
            page.out += timeline.html
        }
    }

    // MARK: Failures

    private mutating func writeFailures() {
        let failures = outline.failures
        if failures.isEmpty { return }
        section("failures", "Failures") { page in
            for (index, failure) in failures.prefix(Self.manyRows).enumerated() {
                page.write(failure, isOpen: index < Self.fewFailures && !failure.isOvercome)
            }
            page.rest(failures.count, "more failure")
        }
    }

    private mutating func write(_ failure: RunOutline.Failure, isOpen: Bool) {
        out += "<details class=\"failure\"\(isOpen ? " open" : "")>\n<summary><b>\(Escaping.html(failure.what))</b> "
        out += Self.state(failure.state.rawValue)
        if let workers = failure.workersPhrase { out += " on \(workers.html)" }
        if failure.isOvercome { out += " <small>succeeded since</small>" }
        out += "</summary>\n"
        for line in failure.facts { out += "<p>\(line.html)</p>\n" }
        for (name, text) in failure.streams {
            out += "<p><small>\(name), the end</small></p>\n<pre>" + Self.lines(of: text) + "</pre>\n"
        }
        out += "</details>\n"
    }

    /// Each line is a block of its own, so none can reorder or cover another.
    private static func lines(of text: String) -> String {
        RunTables.lastLines(of: text).map { "<span>\(Escaping.entities(Escaping.line($0, limit: 2000)))\n</span>" }
            .joined()
    }

    // MARK: Gates

    private mutating func writeGates() {
        if outline.gates.isEmpty { return }
        let notable = outline.gates.filter(\.isNotable)
        let others = outline.gates.filter { !$0.isNotable }
        section("gates", "Gates") { page in
            if !notable.isEmpty { page.table(RunTables.gates(notable)) }
            if others.isEmpty { return }
            let count = Wording.count(others.count, "gate")
            page.out += "<details class=\"rest\"\(notable.isEmpty && others.count <= 12 ? " open" : "")>"
            page.out += "<summary>\(count) passed at the first attempt</summary>\n"
            page.table(RunTables.gates(others))
            page.out += "</details>\n"
        }
    }

    // MARK: The rest

    private mutating func writeLeftBehind() {
        if story.leftBehind.isEmpty, story.drained.isEmpty { return }
        section("left-behind", "Left behind") { page in
            if !page.story.leftBehind.isEmpty { page.table(RunTables.leftBehind(page.story)) }
            if !page.story.drained.isEmpty {
                let names = page.story.drained.map { "\($0.description)" as Phrase }.list(first: 50)
                page.out += "<p>Still drained: \(names.html)</p>\n"
            }
        }
    }

    private mutating func writeDecisions() {
        section("decisions", "Decisions and approvals") { page in
            page.out += "<ul class=\"facts\">\n"
            page.out += page.story.approvalFacts.map { "<li>\($0.html)</li>\n" }.joined() + "</ul>\n"
            if page.story.decisions.isEmpty { return page.hint("Nobody decided anything about the run.") }
            page.table(RunTables.decisions(page.story))
        }
    }

    private mutating func writeParts() {
        section("times", "Times") { page in
            if page.story.parts.isEmpty { return page.hint("When processes were at work on it was not recorded.") }
            page.table(RunTables.parts(page.story))
        }
    }

    private mutating func writePlan() {
        section("plan", "Plan") { page in
            guard let plan = page.story.plan else { return page.hint("The plan cannot be read.") }
            page.out += "<p>\(Escaping.entities(plan.summaryLine))</p>\n<ul class=\"facts\">\n"
            page.out += plan.aboutFacts.map { "<li>\($0.phrase.html)</li>\n" }.joined() + "</ul>\n"
        }
    }

    // MARK: Tables

    private mutating func table(_ table: RunTable) {
        out += "<div class=\"scroll\"><table class=\"rows\">\n<thead><tr>"
        for column in table.columns {
            out += "<th\(column.isNumber ? " class=\"n\"" : "")>\(Escaping.entities(column.title))</th>"
        }
        out += "</tr></thead>\n<tbody>\n"
        for row in table.rows.prefix(Self.manyRows) {
            out += "<tr>"
            for (column, cell) in zip(table.columns, row) {
                let style = [
                    column.isNumber ? "n" : "", cell.isBad ? "bad" : "", column.isTime ? "time" : "",
                    column.isLong ? "long" : "",
                ]
                .filter { !$0.isEmpty }.joined(separator: " ")
                out +=
                    "<td\(style.isEmpty ? "" : " class=\"\(style)\"") data-label=\"\(Escaping.entities(column.title))\">"
                out += (cell.state.map(Self.state) ?? cell.phrase.html) + "</td>"
            }
            out += "</tr>\n"
        }
        out += "</tbody></table></div>\n"
        rest(table.rows.count, "more row")
    }

    private mutating func rest(_ count: Int, _ what: String) {
        if count > Self.manyRows {
            out += "<p class=\"more\">and \(Wording.count(count - Self.manyRows, what))</p>\n"
        }
    }

    private static func state(_ word: String) -> String {
        let word = Escaping.entities(word)
        return "<span class=\"state s-\(word)\">\(word.replacing("_", with: " "))</span>"
    }
}
