internal import Model
public import Plans

/// A plan as Markdown, for the comment on a pull request: what to look at first, a table of the jobs, then one folded part a
/// wave.
///
/// Every text from the plan stands in a code span or block, or escaped in HTML, so that it can neither mention anybody,
/// link, nor close a part.
public struct MarkdownReview {
    /// Most bytes of the text, so never more characters either: what GitHub takes is 65,536.
    public static let maximumSize = 65_000

    private let file: PlanFile
    private let outline: ReviewOutline
    private let showsSteps: Bool
    private var out = ""
    /// Set when something did not fit.
    private var isCut = false

    /// Rows and lines of one kind that are shown; the others are counted.
    private static let fewRows = 40
    /// Bytes that are kept free for closing tags and the notice of a cut.
    private static let reserve = 600

    /// The text, with a line feed at its end.
    ///
    /// - Parameters:
    ///   - contents: for diffs; if there is no room for all, there are shorter ones or none.
    ///   - showsSteps: whether the flat list of steps is at the end, as far as there is room.
    ///   - context: what else is known.
    public static func text(
        _ file: PlanFile, contents: FileContents = .none, showsSteps: Bool, _ context: ReviewContext = .init()
    ) -> String {
        let sizes: [(whole: WholeFiles, perFile: Int, total: Int)] = [
            (.all, 60, 1200), (.newCode, 60, 600), (.newCode, 15, 300),
        ]
        for (whole, perFile, total) in sizes {
            let diffs = DiffReader(contents, whole: whole, perFile: perFile, total: total)
            var review = MarkdownReview(
                file, ReviewOutline(file, contents, diffs, context), showsSteps: showsSteps)
            review.write()
            if !review.isCut { return review.out }
        }
        let diffs = DiffReader(.none, whole: .newCode, perFile: 0, total: 0)
        var review = MarkdownReview(file, ReviewOutline(file, contents, diffs, context), showsSteps: showsSteps)
        review.write()
        return review.out
    }

    private init(_ file: PlanFile, _ outline: ReviewOutline, showsSteps: Bool) {
        self.file = file
        self.outline = outline
        self.showsSteps = showsSteps
    }

    private mutating func write() {
        out += "### \(outline.summary)\n\n`\(outline.id)`\n\n"
        writeVerdict()
        if let since = outline.since { write(since) }
        for part in outline.parts {
            switch part {
            case .stops(let stops): write(stops)
            case .wave(let wave):
                let jobs = wave.jobs.map { "\($0.job)" as Phrase }.list(first: 8).html
                fold("\(wave.title): \(jobs)", wave.jobs.flatMap(blocks))
            case .lines(let title, let lines): write(title, lines)
            }
        }
        let input = outline.hookInput
        if !input.isEmpty { fold("Values for hooks: \(input.count)", input.lazy.map { "- \($0.markdown)\n" }) }
        writeHosts()
        if !outline.about.isEmpty { fold("About this plan", outline.about.lazy.map(Self.text)) }
        if !outline.unpinned.isEmpty {
            fold(
                "Not pinned by this plan: \(Wording.count(outline.unpinned.count, "point"))",
                outline.unpinned.lazy.map { "- \($0.subject): \($0.phrase.markdown)\n" })
        }
        if showsSteps, !file.plan.isEmpty { writeSteps() }
        if isCut {
            out +=
                "\n**Cut here: this comment has no room for the whole plan.** `maand-plan show FILE` shows all of it.\n"
        }
    }

    private static func text(_ fact: HeadFact) -> String {
        "- \(fact.phrase.markdown)\n" + fact.details.map { "  - \($0.markdown)\n" }.joined()
    }

    // MARK: The beginning

    private mutating func writeVerdict() {
        let verdict = outline.verdict
        if !verdict.concerns.isEmpty { out += "**Look here first**\n\n" }
        for concern in verdict.concerns {
            if let detail = concern.details.first, concern.details.count == 1 {
                out += "- **\(concern.title):** \(detail.markdown)\n"
            } else {
                out += "- **\(concern.title):**\n"
                for detail in concern.details { out += "  - \(detail.markdown)\n" }
            }
        }
        if let absent = verdict.absent { out += verdict.concerns.isEmpty ? "\(absent)\n" : "- \(absent)\n" }
        if !verdict.concerns.isEmpty || verdict.absent != nil { out += "\n" }
        if !verdict.rows.isEmpty { writeTable(verdict.rows) }
        for rule in outline.rules {
            out += "- **\(rule.title):** \(rule.phrase.markdown)\n"
            for detail in rule.details { out += "  - \(detail.markdown)\n" }
        }
        out += "\n"
    }

    private mutating func writeTable(_ rows: [Verdict.Row]) {
        func line(_ cells: [String]) -> String { "| \(cells.joined(separator: " | ")) |\n" }
        let columns = Verdict.Row.columns
        out += line(columns.map { $0.replacing("->", with: "→") })
        out += line(columns.indices.map { Verdict.Row.numbers.contains($0) ? "---:" : "---" })
        for row in rows.prefix(Self.fewRows) { out += line(row.cells.map(\.cell)) }
        if rows.count > Self.fewRows {
            out +=
                "\nand \(Wording.count(rows.count - Self.fewRows, "more line")), which stand with their waves below\n"
        }
        out += "\n"
    }

    private mutating func write(_ since: ReviewOutline.Since) {
        out += "**What is different from the plan `\(since.id)`**\n\n"
        if since.difference.isEmpty { out += "- nothing: both plans do the same\n" }
        for section in since.difference.sections {
            guard !isCut else { break }
            var lines = ["- \(section.title.markdown)\n"]
            lines += section.items.prefix(Self.fewRows).map { "  - \($0.sign.word): \($0.phrase.markdown)\n" }
            let rest = section.items.count - Self.fewRows
            if rest > 0 { lines.append("  - and \(Wording.count(rest, "more difference"))\n") }
            let text = lines.joined()
            guard fits(text) else {
                isCut = true
                break
            }
            out += text
        }
        if let unchanged = since.unchangedPhrase { out += "- \(unchanged.markdown)\n" }
        out += "\n"
    }

    // MARK: Room

    private func fits(_ text: String) -> Bool { out.utf8.count + text.utf8.count <= Self.maximumSize - Self.reserve }

    /// A folded part, with as many of its blocks as there is room for.
    ///
    /// - Parameter title: HTML.
    private mutating func fold(_ title: String, _ blocks: some Sequence<String>) {
        let open = "<details><summary>\(title)</summary>\n\n"
        guard !isCut, fits(open) else {
            isCut = true
            return
        }
        out += open
        for block in blocks {
            guard fits(block) else {
                isCut = true
                out += "\n… the rest of this part is not shown\n"
                break
            }
            out += block
        }
        out += "\n</details>\n\n"
    }

    // MARK: Parts

    private mutating func write(_ title: String, _ lines: [Phrase]) {
        guard !isCut else { return }
        out += "**\(title)**\n\n"
        for line in lines {
            let item = "- \(line.markdown)\n"
            guard fits(item) else {
                isCut = true
                break
            }
            out += item
        }
        out += "\n"
    }

    private mutating func write(_ stops: StopsOutline) {
        let lines = stops.lines.map { "- stop \($0.what.markdown) on \($0.hosts.markdown) (\($0.reason))\n" }
        fold(
            "\(stops.title): \(Wording.count(stops.count, "allocation"))",
            lines + stops.hooks.map { text($0.title, $0.groups) } + stops.files.flatMap(files))
    }

    private func blocks(_ job: JobOutline) -> [String] {
        var head = "#### \(Escaping.code(job.job.text)) \(job.versions.markdown)\n\n"
        for fact in job.facts {
            let text = fact.phrase.markdown
            head += fact.weight == .strong ? "- **\(text)**\n" : "- \(text)\n"
        }
        for phase in job.phases { head += text(phase) }
        if let title = job.hooksTitle { head += text(title, job.hookGroups) }
        return [head + "\n"] + job.files.flatMap(files)
    }

    private func text(_ title: Phrase, _ groups: [HookGroup]) -> String {
        var text = "- \(title.markdown)\n"
        for group in groups {
            text += "  - \(group.title.markdown)\n"
            for (index, hook) in group.hooks.enumerated() { text += "    \(index + 1). \(hook.phrase.markdown)\n" }
        }
        return text
    }

    private func text(_ phase: JobOutline.Phase) -> String {
        var text = "- \(phase.title.markdown)\n"
        for item in phase.items.prefix(Self.fewRows) {
            let size = item.each.map { ", \($0) at a time" } ?? ""
            for (place, group) in item.groups.enumerated() {
                text +=
                    "  - \(item.each == nil ? "batch" : "batches") \(item.number): **\(group.word)** \(group.hosts.markdown)"
                text += "\(place == 0 ? size : "") (\(group.reasonPhrase.markdown))\n"
                for match in group.entry.matchPhrases.prefix(5) { text += "    - \(match.markdown)\n" }
            }
        }
        if phase.items.count > Self.fewRows {
            text += "  - and more batches, \(phase.items.count - Self.fewRows) lines of this list\n"
        }
        return text
    }

    // MARK: Files

    /// A list of the files, and a block for each diff; whole texts are folded, but for those of hooks.
    private func files(_ section: FileOutline.Section) -> [String] {
        var list = "\(section.title.markdown):\n\n"
        var blocks: [String] = []
        var whole: [String] = []
        for item in section.items.prefix(Self.fewRows) {
            let word =
                switch item.kind {
                case .added: "added"
                case .modified: "modified"
                case .removed: "removed"
                case .mode: "changed"
                }
            list += "- \(word) \(Escaping.code(item.path))"
            for note in item.notes { list += " (\(note.markdown))" }
            for sample in item.samples {
                let workers = sample.workers.map { " on \($0.markdown)" } ?? ""
                switch sample.diff {
                case .note(let note): list += workers.isEmpty ? " (\(note))" : " (\(note)\(workers))"
                case .lines(let lines, let hidden):
                    let others = item.others > 0 ? ", \(item.othersText)" : ""
                    let block = block(Escaping.code(item.path) + workers + others, lines, hidden: hidden)
                    if item.kind == .modified || WholeFiles.isModule(item.path) {
                        blocks.append(block)
                    } else {
                        whole.append(block)
                    }
                }
            }
            list += "\n"
        }
        let rest = section.items.count - Self.fewRows
        if rest > 0 { list += "- and \(Wording.count(rest, "more file"))\n" }
        if !whole.isEmpty {
            let title = "Text of \(Wording.count(whole.count, "file")) that are new or removed"
            blocks.append("<details><summary>\(title)</summary>\n\n\(whole.joined())</details>\n\n")
        }
        return [list + "\n"] + blocks
    }

    private func block(_ title: String, _ lines: [FileDiff.Line], hidden: Int) -> String {
        var texts = lines.map(FileDiff.text)
        if hidden > 0 { texts.append("… \(Wording.count(hidden, "more line"))") }
        let fence = Escaping.fence(for: texts)
        return "\(title)\n\n\(fence)diff\n\(texts.joined(separator: "\n"))\n\(fence)\n\n"
    }

    // MARK: The end

    private mutating func writeHosts() {
        if outline.hosts.isEmpty { return }
        fold(
            "All hosts of \(Wording.count(outline.hosts.count, "long list"))",
            outline.hosts.lazy.flatMap { list in
                ["- list `\(list.digest)`, \(Wording.count(list.workers.count, "host")):\n"]
                    + list.full.map { "  \(Escaping.code($0))\n" }
            })
    }

    private mutating func writeSteps() {
        let rows = StepList.rows(file.plan)
        let open = "<details><summary>\(Wording.count(rows.count, "step")), in order</summary>\n\n```\n"
        guard !isCut, fits(open) else {
            isCut = true
            return
        }
        out += open
        for (index, row) in rows.enumerated() {
            // Ids consist of names, so none can hold a backtick.
            let line = "\(row.stage)  \(Escaping.terminal(row.id.text))\n"
            guard fits(line) else {
                isCut = true
                out += "… \(Wording.count(rows.count - index, "more step"))\n"
                break
            }
            out += line
        }
        out += "```\n\n</details>\n"
    }
}
