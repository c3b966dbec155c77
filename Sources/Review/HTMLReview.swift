internal import Model
public import Plans

/// A plan as one HTML page that needs nothing else: no script, no font, no request. Its own policy forbids all of them.
public struct HTMLReview {
    let file: PlanFile
    let outline: ReviewOutline
    let contents: FileContents
    /// Files that the page shows whole or as a change, and so not once more as scripts of hooks.
    var shown = Set<Digest>()
    /// Lines of scripts that may follow.
    var scriptLines = 5000
    let showsSteps: Bool
    var out = ""

    /// Jobs up to which each is unfolded.
    private static let fewJobs = 6
    /// Rows of one kind that are shown; the others are counted.
    static let manyRows = 500
    /// Steps that are listed.
    private static let manySteps = 20_000

    /// The page, UTF-8.
    ///
    /// - Parameters:
    ///   - contents: for diffs of the files.
    ///   - showsSteps: whether the flat list of steps is at the end.
    ///   - context: what else is known.
    public static func page(
        _ file: PlanFile, contents: FileContents = .none, showsSteps: Bool, _ context: ReviewContext = .init()
    ) -> String {
        var review = HTMLReview(file, contents, showsSteps: showsSteps, context)
        review.write()
        return review.out
    }

    private init(_ file: PlanFile, _ contents: FileContents, showsSteps: Bool, _ context: ReviewContext) {
        self.file = file
        self.contents = contents
        self.showsSteps = showsSteps
        let diffs = DiffReader(contents, whole: .all, perFile: 400, total: 10_000)
        outline = ReviewOutline(file, contents, diffs, context, drawsSchedule: true)
    }

    private mutating func write() {
        noteShown()
        out += HTMLStyle.opening(title: outline.summary)
        writeHead()
        if let since = outline.since { write(since) }
        if let schedule = outline.schedule {
            writeBands(schedule)
            writeRows(schedule)
        }
        let isOpen = file.plan.waves.reduce(0) { $0 + $1.jobs.count } <= Self.fewJobs
        for (index, part) in outline.parts.enumerated() {
            let id = "part-\(index + 1)"
            switch part {
            case .stops(let stops): section(id, stops.title) { $0.write(stops) }
            case .wave(let wave): section(id, wave.title) { for job in wave.jobs { $0.write(job, isOpen: isOpen) } }
            case .lines(let title, let lines): section(id, title) { $0.write(lines) }
            }
        }
        writeEnd()
        out += "</main>\n</body>\n</html>\n"
    }

    mutating func section(_ id: String, _ title: String, _ body: (inout HTMLReview) -> Void) {
        out += "<section id=\"\(id)\">\n<h2>\(Escaping.entities(title))</h2>\n"
        body(&self)
        out += "</section>\n"
    }

    // MARK: The beginning

    private mutating func writeHead() {
        let verdict = outline.verdict
        out +=
            "<header>\n<h1>\(Escaping.entities(outline.summary))</h1>\n<p class=\"id\">\(outline.id)</p>\n</header>\n"
        if !verdict.concerns.isEmpty {
            out += "<section class=\"first\" id=\"first\">\n<h2>Look here first</h2>\n<ul>\n"
            for concern in verdict.concerns {
                out += "<li><strong>\(Self.withCode(concern.title)):</strong>"
                if let detail = concern.details.first, concern.details.count == 1 {
                    out += " \(detail.html)"
                } else {
                    out += "\n<ul>\n" + concern.details.map { "<li>\($0.html)</li>\n" }.joined() + "</ul>\n"
                }
                out += "</li>\n"
            }
            if let absent = verdict.absent { out += "<li>\(Self.small(absent))</li>\n" }
            out += "</ul>\n</section>\n"
        } else if let absent = verdict.absent {
            out += "<p class=\"hint\">\(Escaping.entities(absent))</p>\n"
        }
        if !verdict.rows.isEmpty { writeTable(verdict.rows) }
        if !outline.rules.isEmpty {
            out += "<dl class=\"rules\">\n"
            for rule in outline.rules {
                out += "<dt>\(rule.title)</dt><dd>\(rule.phrase.html)"
                if !rule.details.isEmpty {
                    out += "\n<ul>\n" + rule.details.map { "<li>\($0.html)</li>\n" }.joined() + "</ul>\n"
                }
                out += "</dd>\n"
            }
            out += "</dl>\n"
        }
        writeContents()
    }

    private mutating func writeTable(_ rows: [Verdict.Row]) {
        let columns = Verdict.Row.columns.map { Escaping.entities($0.replacing("->", with: "→")) }
        out += "<section id=\"jobs\">\n<h2>What happens</h2>\n<div class=\"wide\"><table class=\"jobs\">\n<thead><tr>"
        for (index, column) in columns.enumerated() {
            out += "<th scope=\"col\"\(Verdict.Row.numbers.contains(index) ? " class=\"n\"" : "")>\(column)</th>"
        }
        out += "</tr></thead>\n<tbody>\n"
        for row in rows.prefix(Self.manyRows) {
            out += "<tr>"
            for (index, cell) in row.cells.enumerated() {
                let isNothing = cell.terminal == "–"
                let style = isNothing ? " class=\"nothing\"" : Verdict.Row.numbers.contains(index) ? " class=\"n\"" : ""
                out += "<td\(style) data-is=\"\(columns[index])\">\(cell.html.replacing("-&gt;", with: "→"))</td>"
            }
            out += "</tr>\n"
        }
        out += "</tbody>\n</table></div>\n"
        let rest = rows.count - Self.manyRows
        if rest > 0 { out += "<p class=\"hint\">and \(Wording.count(rest, "more line"))</p>\n" }
        out += "</section>\n"
    }

    /// Links within the page.
    private mutating func writeContents() {
        var entries: [(id: String, title: String)] = []
        if outline.since != nil { entries.append(("since", "What is different")) }
        if outline.schedule?.bands.isEmpty == false { entries.append(("when", "Order of batches")) }
        if outline.schedule?.rows.isEmpty == false { entries.append(("who", "Which host when")) }
        for (index, part) in outline.parts.enumerated() {
            switch part {
            case .stops(let stops): entries.append(("part-\(index + 1)", stops.title))
            case .wave(let wave):
                let jobs = wave.jobs.prefix(4).map { Escaping.terminal($0.job.text) }.joined(separator: ", ")
                entries.append(("part-\(index + 1)", "\(wave.title): \(jobs)\(wave.jobs.count > 4 ? ", …" : "")"))
            case .lines(let title, _): entries.append(("part-\(index + 1)", title))
            }
        }
        if !outline.hookInput.isEmpty { entries.append(("values", "Values for hooks")) }
        if !outline.hosts.isEmpty { entries.append(("hosts", "Hosts of long lists")) }
        if !outline.about.isEmpty { entries.append(("about", "About this plan")) }
        if !outline.unpinned.isEmpty { entries.append(("unpinned", "Not pinned by this plan")) }
        if entries.count < 2 { return }
        out += "<nav aria-label=\"Contents\">\n<ul>\n"
        for entry in entries.prefix(60) {
            out += "<li><a href=\"#\(entry.id)\">\(Escaping.entities(entry.title))</a></li>\n"
        }
        out += "</ul>\n</nav>\n"
    }

    private mutating func write(_ since: ReviewOutline.Since) {
        section("since", "What is different from the plan \(since.id)") { page in
            if since.difference.isEmpty { page.out += "<p>Nothing: both plans do the same.</p>\n" }
            for part in since.difference.sections {
                page.out += "<h3>\(Self.title(part.title))</h3>\n<ul class=\"plain\">\n"
                for item in part.items.prefix(Self.manyRows) {
                    page.out += "<li><b>\(item.sign.word):</b> \(item.phrase.html)</li>\n"
                }
                page.writeRest(part.items.count, "more difference")
                page.out += "</ul>\n"
            }
            if let unchanged = since.unchangedPhrase { page.out += "<p class=\"hint\">\(unchanged.html)</p>\n" }
        }
    }

    // MARK: The end

    private mutating func writeEnd() {
        let input = outline.hookInput
        if !input.isEmpty {
            section("values", "Values for hooks") { page in
                page.write(Array(input.prefix(Self.manyRows)))
                let rest = input.count - Self.manyRows
                if rest > 0 { page.out += "<p class=\"more\">and \(Wording.count(rest, "more value"))</p>\n" }
            }
        }
        if !outline.hosts.isEmpty {
            section("hosts", "Hosts of long lists") { page in
                for list in page.outline.hosts {
                    page.out += "<details id=\"hosts-\(list.digest)\"><summary>list <code>\(list.digest)</code>, "
                    page.out += "\(Wording.count(list.workers.count, "host"))</summary>\n<ul class=\"plain\">\n"
                    page.out += list.full.map { "<li><code>\(Escaping.html($0))</code></li>\n" }.joined()
                    page.out += "</ul></details>\n"
                }
            }
        }
        if !outline.about.isEmpty {
            fold("about", "About this plan", "\(Wording.count(file.plan.fleet.workers.count, "worker"))") { page in
                page.out += "<ul class=\"facts\">\n"
                for fact in page.outline.about {
                    page.out += "<li>\(fact.phrase.html)"
                    if !fact.details.isEmpty {
                        page.out += "\n<ul>\n" + fact.details.map { "<li>\($0.html)</li>\n" }.joined() + "</ul>\n"
                    }
                    page.out += "</li>\n"
                }
                page.out += "</ul>\n"
            }
        }
        if !outline.unpinned.isEmpty {
            fold("unpinned", "Not pinned by this plan", Wording.count(outline.unpinned.count, "point")) { page in
                page.out += "<dl>\n"
                for item in page.outline.unpinned {
                    page.out += "<dt>\(Escaping.html(item.subject))</dt><dd>\(item.phrase.html)</dd>\n"
                }
                page.out += "</dl>\n"
            }
        }
        if showsSteps, !file.plan.isEmpty { writeSteps() }
    }

    /// A section whose text is shown only when somebody asks for it.
    private mutating func fold(_ id: String, _ title: String, _ hint: String, _ body: (inout HTMLReview) -> Void) {
        out += "<section id=\"\(id)\">\n<details><summary><h2>\(title)</h2> \(Self.small(hint))</summary>\n"
        body(&self)
        out += "</details>\n</section>\n"
    }

    private mutating func writeSteps() {
        let rows = StepList.rows(file.plan)
        fold("steps", "Steps", "\(Wording.count(rows.count, "step")), in order") { page in
            page.out += "<pre>"
            for row in rows.prefix(Self.manySteps) { page.out += "\(row.stage)\t\(Escaping.html(row.id.text))\n" }
            if rows.count > Self.manySteps { page.out += "… \(rows.count - Self.manySteps) more\n" }
            page.out += "</pre>"
        }
    }
}
