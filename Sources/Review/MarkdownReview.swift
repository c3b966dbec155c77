internal import Model
public import Plans

/// A plan as Markdown, for the comment on a pull request: the summary first, then one folded part a wave.
///
/// Every text from the plan stands in a code span or block, or escaped in HTML, so that it can neither mention anybody,
/// link, nor close a part.
public struct MarkdownReview {
    /// Most bytes of the text, so never more characters either: what GitHub takes is 65,536.
    public static let maximumSize = 65_000

    private let file: PlanFile
    private var plan: Plan
    private var diffs: DiffReader
    /// Nil if the plan acts on allocations.
    private let outline: WorkerOutline?
    private let showsSteps: Bool
    private let outlook: WindowOutlook?
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
    ///   - contents: for diffs; where there is no room for all, there are shorter ones or none.
    ///   - showsSteps: whether the flat list of steps is at the end, as far as there is room.
    ///   - outlook: when the plan may run next.
    public static func text(
        _ file: PlanFile, contents: FileContents = .none, showsSteps: Bool, outlook: WindowOutlook? = nil
    ) -> String {
        for (perFile, total) in [(60, 1200), (15, 300)] {
            var review = MarkdownReview(
                file, contents, perFile: perFile, total: total, showsSteps: showsSteps, outlook)
            review.write()
            if !review.isCut { return review.out }
        }
        var review = MarkdownReview(file, .none, perFile: 0, total: 0, showsSteps: showsSteps, outlook)
        review.write()
        return review.out
    }

    private init(
        _ file: PlanFile, _ contents: FileContents, perFile: Int, total: Int, showsSteps: Bool,
        _ outlook: WindowOutlook?
    ) {
        self.file = file
        self.outlook = outlook
        plan = file.plan
        diffs = DiffReader(contents, whole: .newModules, perFile: perFile, total: total)
        outline = WorkerOutline(file.plan, contents)
        self.showsSteps = showsSteps
    }

    private mutating func write() {
        out += "### \(plan.summaryLine)\n\n"
        out += "`\(file.id)`\n\n"
        for fact in plan.headFacts(outlook) {
            out += "- \(fact.phrase.markdown)\n"
            for detail in fact.details { out += "  - \(detail.markdown)\n" }
        }
        out += "\n"
        if let outline { write(outline) } else if !plan.waves.isEmpty { writeTable() }
        let unpinned = plan.unpinned
        if !unpinned.isEmpty {
            out += "**Not pinned by this plan**\n\n"
            for item in unpinned { out += "- \(item.subject): \(item.phrase.markdown)\n" }
            out += "\n"
        }
        writeParts()
        if let (back, facts) = plan.wayBackPart {
            let forth = plan
            plan = back
            fold("Way back, if a job fails", facts.lazy.map { "- \($0.markdown)\n" })
            writeParts()
            plan = forth
        }
        let input = plan.hookInput
        if !input.isEmpty {
            fold("Values for hooks: \(input.count)", input.lazy.map { "- \($0.markdown)\n" })
        }
        if showsSteps, !plan.isEmpty { writeSteps() }
        if isCut {
            out +=
                "\n**Cut here: this comment has no room for the whole plan.** `maand-plan show FILE` shows all of it.\n"
        }
    }

    /// What is done, in its order.
    private mutating func writeParts() {
        if !plan.reconcile.isEmpty, !plan.stopsAreLast { writeStops() }
        for wave in outline == nil ? plan.waves : [] {
            let jobs = wave.jobs.map { "\($0.job)" as Phrase }.list(first: 8).html
            var parts: [String] = []
            for job in wave.jobs { parts += blocks(job) }
            fold("\(plan.waveTitle) \(wave.deploymentSequence): \(jobs)", parts)
        }
        if !plan.reconcile.isEmpty, plan.stopsAreLast { writeStops() }
    }

    private mutating func writeStops() {
        let hookFiles = plan.stopHooks.compactMap { FileOutline.modules($0.modules, &diffs) }
        fold(
            "\(plan.stopsTitle): \(Wording.count(plan.reconcile.count, "allocation"))",
            stopLines + plan.stopHooks.map { text($0.titlePhrase, $0.groups(in: plan)) } + hookFiles.flatMap(files))
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

    private mutating func write(_ outline: WorkerOutline) {
        for section in outline.sections {
            guard !isCut else { return }
            out += "**\(section.title)**\n\n"
            for line in section.lines {
                let item = "- \(line.markdown)\n"
                guard fits(item) else {
                    isCut = true
                    break
                }
                out += item
            }
            out += "\n"
        }
    }

    private mutating func writeTable() {
        if case .operation = plan.work { return writeOperationTable() }
        out += "| wave | job | version | start | restart | reload | sync |\n|---|---|---|---:|---:|---:|---:|\n"
        var rows = 0
        for wave in plan.waves {
            for job in wave.jobs {
                rows += 1
                if rows > Self.fewRows { continue }
                let counts = job.actionCounts
                func count(_ action: LifecycleAction) -> String {
                    counts.first { $0.action == action }.map { String($0.count) } ?? ""
                }
                // Renderers disagree on how a vertical bar or a backslash is written inside a table's code spans.
                let versions = job.versionsPhrase.markdown
                let version = versions.contains { $0 == "|" || $0 == "\\" } ? "see below" : versions
                out += "| \(wave.deploymentSequence) | \(Escaping.code(job.job.text)) | \(version) | "
                out += "\(count(.start)) | \(count(.restart)) | \(count(.reload)) | \(count(.sync)) |\n"
            }
        }
        if rows > Self.fewRows { out += "\nand \(Wording.count(rows - Self.fewRows, "more job"))\n" }
        out += "\n"
    }

    private mutating func writeOperationTable() {
        out += "| wave | job | version | allocations | batches |\n|---|---|---|---:|---:|\n"
        let jobs = plan.waves.flatMap { wave in wave.jobs.map { (wave.deploymentSequence, $0) } }
        for (sequence, job) in jobs.prefix(Self.fewRows) {
            let batches = job.phases.flatMap(\.batches)
            out += "| \(sequence) | \(Escaping.code(job.job.text)) | \(job.versionsPhrase.markdown) | "
            out += "\(batches.joined().count) | \(batches.count) |\n"
        }
        if jobs.count > Self.fewRows { out += "\nand \(Wording.count(jobs.count - Self.fewRows, "more job"))\n" }
        out += "\n"
    }

    private var stopLines: [String] {
        StopGroup.groups(plan.reconcile).map { group in
            let phrase: Phrase = "\(group.stop.allocation.job) \(group.stop.from.version) on"
            return "- stop \(phrase.markdown) \(WorkerList.phrase(group.workers).markdown) (\(group.reasonText))\n"
        }
    }

    private mutating func blocks(_ job: Plan.Job) -> [String] {
        var head = "#### \(Escaping.code(job.job.text)) \(job.versionsPhrase.markdown)\n\n"
        if let demands = job.demandsPhrase { head += "- \(demands.markdown)\n" }
        if job.gateFirst {
            head += "- gate first: the last one failed or never ran\n"
        } else if let purpose = job.purposeWithoutPhases {
            head += "- \(purpose)\n"
        }
        if let recovery = job.recoveryPhrase { head += "- **\(recovery.markdown)**\n" }
        if let hooks = job.hooksPhrase { head += text(hooks, job.hookGroups) }
        if let order = job.orderPhrase { head += "- \(order.markdown)\n" }
        for phase in job.phases { head += text(phase, of: job) }
        if let gate = job.gatePhrase { head += "- gate: \(gate.markdown)\n" }
        if let warning = job.reloadWarning { head += "- **\(warning.markdown)**\n" }
        if let failures = job.failuresPhrase { head += "- \(failures.markdown)\n" }
        if let unreachable = job.unreachablePhrase { head += "- \(unreachable.markdown)\n" }
        for phrase in job.attemptPhrases { head += "- \(phrase.markdown)\n" }
        if let ports = job.portsPhrase { head += "- \(ports.markdown)\n" }
        head += "\n"
        // A way back in the same plan undoes the changes that are shown above.
        if plan.origin?.isPartOfRun == true { return [head] }
        return [head] + FileOutline(job, &diffs).sections.flatMap(files)
    }

    private func text(_ title: Phrase, _ groups: [HookGroup]) -> String {
        var text = "- \(title.markdown)\n"
        for group in groups {
            text += "  - \(group.title.markdown)\n"
            for (index, hook) in group.hooks.enumerated() { text += "    \(index + 1). \(hook.phrase.markdown)\n" }
        }
        return text
    }

    private func text(_ phase: Plan.Phase, of job: Plan.Job) -> String {
        var text = "- \(phase.titlePhrase(in: job).markdown)\n"
        let items = BatchOutline(phase, of: job).items
        for item in items.prefix(Self.fewRows) {
            let size = item.each.map { ", \($0) at a time" } ?? ""
            for (place, group) in item.groups.enumerated() {
                let action = job.word(group.entry.action)
                text += "  - batch \(item.number): **\(action)** \(WorkerList.phrase(group.workers).markdown)"
                text += "\(place == 0 ? size : "") (\(group.reasonPhrase.markdown))\n"
                for match in group.entry.matchPhrases.prefix(5) { text += "    - \(match.markdown)\n" }
            }
        }
        if items.count > Self.fewRows {
            text += "  - and more batches, \(items.count - Self.fewRows) lines of this list\n"
        }
        return text
    }

    /// A list of the files, and a block for each diff.
    private func files(_ section: FileOutline.Section) -> [String] {
        var list = "\(section.title.markdown):\n\n"
        var blocks: [String] = []
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
                    blocks.append(block(Escaping.code(item.path) + workers + others, lines, hidden: hidden))
                }
            }
            list += "\n"
        }
        let rest = section.items.count - Self.fewRows
        if rest > 0 { list += "- and \(Wording.count(rest, "more file"))\n" }
        return [list + "\n"] + blocks
    }

    private func block(_ title: String, _ lines: [FileDiff.Line], hidden: Int) -> String {
        var texts = lines.map(FileDiff.text)
        if hidden > 0 { texts.append("… \(Wording.count(hidden, "more line"))") }
        let fence = Escaping.fence(for: texts)
        return "\(title)\n\n\(fence)diff\n\(texts.joined(separator: "\n"))\n\(fence)\n\n"
    }

    private mutating func writeSteps() {
        let rows = StepList.rows(plan)
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
