internal import Model
public import Plans

/// A plan as one HTML page that needs nothing else: no script, no font, no request. Its own policy forbids all of them.
public struct HTMLReview {
    private let file: PlanFile
    private var plan: Plan
    private let contents: FileContents
    private var outlines: [JobName: FileOutline] = [:]
    /// Files from which hooks of stops run, by the tree of their folder.
    private var stopFiles: [Digest: FileOutline.Section] = [:]
    /// Files that the page shows whole or as a change, and so not once more as scripts of hooks.
    private var shown = Set<Digest>()
    /// Lines of scripts that may follow.
    private var scriptLines = 5000
    private let showsSteps: Bool
    private let outlook: WindowOutlook?
    private var out = ""

    /// Jobs up to which each is unfolded.
    private static let fewJobs = 6
    /// Lines of a diff up to which it is unfolded.
    private static let shortDiff = 40
    /// Rows of one kind that are shown; the others are counted.
    private static let manyRows = 500
    /// Steps that are listed.
    private static let manySteps = 20_000

    /// The page, UTF-8.
    ///
    /// - Parameters:
    ///   - contents: for diffs of the files.
    ///   - showsSteps: whether the flat list of steps is at the end.
    ///   - outlook: when the plan may run next.
    public static func page(
        _ file: PlanFile, contents: FileContents = .none, showsSteps: Bool, outlook: WindowOutlook? = nil
    ) -> String {
        var review = HTMLReview(file, contents, showsSteps: showsSteps, outlook)
        review.write()
        return review.out
    }

    private init(_ file: PlanFile, _ contents: FileContents, showsSteps: Bool, _ outlook: WindowOutlook?) {
        self.file = file
        self.outlook = outlook
        plan = file.plan
        self.contents = contents
        self.showsSteps = showsSteps
    }

    private mutating func write() {
        outlineFiles()
        out += """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
            base-uri 'none'; form-action 'none'">
            <meta name="referrer" content="no-referrer">
            <title>\(Escaping.entities(plan.summaryLine))</title>
            <style>
            \(HTMLStyle.css)
            </style>
            </head>
            <body>
            <main>

            """
        writeHead()
        writeTimeline()
        writeParts()
        if let (back, facts) = plan.wayBackPart {
            let forth = (plan, outlines)
            // It undoes the changes that are shown above.
            (plan, outlines) = (back, [:])
            out += "<section>\n<h2>Way back</h2>\n<ul class=\"plain\">\n"
            out += facts.map { "<li>\($0.html)</li>\n" }.joined() + "</ul>\n</section>\n"
            writeParts()
            (plan, outlines) = forth
        }
        writeHookInput()
        writeUnbound()
        if showsSteps, !plan.isEmpty { writeSteps() }
        out += "</main>\n</body>\n</html>\n"
    }

    /// What is done, in its order.
    private mutating func writeParts() {
        if !plan.reconcile.isEmpty, !plan.stopsAreLast { writeStops() }
        if let outline = WorkerOutline(plan, contents) {
            write(outline)
        } else {
            for wave in plan.waves { write(wave) }
        }
        if !plan.reconcile.isEmpty, plan.stopsAreLast { writeStops() }
    }

    private mutating func outlineFiles() {
        var diffs = DiffReader(contents, whole: .all, perFile: 400, total: 10_000)
        for hooks in plan.stopHooks {
            guard let files = FileOutline.modules(hooks.modules, &diffs) else { continue }
            stopFiles[hooks.modules] = files
            noteShown([files])
        }
        for job in plan.waves.lazy.flatMap(\.jobs) {
            let outline = FileOutline(job, &diffs)
            outlines[job.job] = outline
            noteShown(outline.sections)
        }
    }

    private mutating func noteShown(_ sections: [FileOutline.Section]) {
        for item in sections.lazy.flatMap({ $0.items.prefix(Self.manyRows) }) {
            for sample in item.samples where sample.diff.lineCount > 0 {
                if let digest = sample.change.to { shown.insert(digest) }
            }
        }
    }

    // MARK: Head

    private mutating func writeHead() {
        out += "<header>\n<h1>\(Escaping.entities(plan.summaryLine))</h1>\n"
        out += "<p class=\"id\">\(file.id)</p>\n<ul class=\"facts\">\n"
        for fact in plan.headFacts(outlook) {
            out += "<li>\(fact.phrase.html)"
            if !fact.details.isEmpty {
                out += "\n<ul>\n" + fact.details.map { "<li>\($0.html)</li>\n" }.joined() + "</ul>\n"
            }
            out += "</li>\n"
        }
        out += "</ul>\n</header>\n"
    }

    private mutating func writeTimeline() {
        let timeline = Timeline(plan)
        if timeline.rows.isEmpty { return }
        out += "<section>\n<h2>Who is touched when</h2>\n"
        out +=
            "<p class=\"hint\">From left to right: each wave begins when the one before it is done; jobs of one wave run "
        out += "side by side. Numbers are batches; the workers of a batch act in parallel.</p>\n"
        out += timeline.html
        out += "</section>\n"
    }

    private mutating func write(_ outline: WorkerOutline) {
        for section in outline.sections {
            out += "<section>\n<h2>\(Escaping.entities(section.title))</h2>\n<ul class=\"plain\">\n"
            out += section.lines.map { "<li>\($0.html)</li>\n" }.joined() + "</ul>\n</section>\n"
        }
    }

    // MARK: Stops and waves

    private mutating func writeStops() {
        out += "<section>\n<h2>\(plan.stopsTitle)</h2>\n<ul class=\"plain\">\n"
        let groups = StopGroup.groups(plan.reconcile)
        for group in groups.prefix(Self.manyRows) {
            let what: Phrase = "\(group.stop.allocation.job) \(group.stop.from.version) on "
            out +=
                "<li>\(Self.badge(.stop, LifecycleAction.stop.rawValue)) \(what.html)\(WorkerList.phrase(group.workers).html) "
            out += "\(Self.small(group.reasonText))</li>\n"
        }
        writeRest(groups.count, "more line")
        out += "</ul>\n"
        for hooks in plan.stopHooks {
            write(hooks.titlePhrase, hooks.groups(in: plan))
            if let files = stopFiles[hooks.modules] { write(files) }
        }
        out += "</section>\n"
    }

    // MARK: Hooks

    private mutating func write(_ title: Phrase, _ groups: [HookGroup]) {
        out += "<h3>\(Self.title(title))</h3>\n<dl class=\"hooks\">\n"
        for group in groups {
            out += "<dt>\(group.title.html)</dt>\n"
            for (index, hook) in group.hooks.enumerated() {
                out += "<dd>\(index + 1). \(hook.phrase.html)"
                writeScript(of: hook)
                out += "</dd>\n"
            }
        }
        out += "</dl>\n"
    }

    /// The script, where it is at hand and is not among the changed files.
    private mutating func writeScript(of hook: Plan.Hook) {
        guard !shown.contains(hook.digest), scriptLines > 0 else { return }
        let script = FileChange(path: hook.script, kind: .added, from: nil, to: hook.digest)
        switch FileDiff(script, contents, showsWhole: true, limit: min(400, scriptLines)) {
        case nil: break
        case .note(let note): out += " \(Self.small(note))"
        case .lines(let lines, let hidden):
            shown.insert(hook.digest)
            scriptLines -= lines.count
            out += "<details><summary>\(Self.small("its text"))</summary>"
            write(lines, hidden: hidden)
            out += "</details>"
        }
    }

    /// The phrase as a heading: it begins with our own words.
    private static func title(_ phrase: Phrase) -> String {
        let html = phrase.html
        return html.prefix(1).uppercased() + html.dropFirst()
    }

    private mutating func writeRest(_ count: Int, _ what: String) {
        if count > Self.manyRows {
            out += "<li class=\"more\">and \(Wording.count(count - Self.manyRows, what))</li>\n"
        }
    }

    private mutating func write(_ wave: Plan.Wave) {
        out += "<section>\n<h2>\(plan.waveTitle) \(wave.deploymentSequence)</h2>\n"
        let isOpen = plan.waves.reduce(0) { $0 + $1.jobs.count } <= Self.fewJobs
        for job in wave.jobs { write(job, isOpen: isOpen) }
        out += "</section>\n"
    }

    private mutating func write(_ job: Plan.Job, isOpen: Bool) {
        out += "<details class=\"job\"\(isOpen ? " open" : "")>\n<summary><b>\(Escaping.html(job.job.text))</b> "
        out += "<span>\(job.versionsPhrase.html)</span>"
        for (action, count) in job.actionCounts {
            out += " <span class=\"badge a-\(action.rawValue)\">\(count) \(action.rawValue)</span>"
        }
        out += "</summary>\n<div class=\"inside\">\n"
        var facts: [String] = []
        if let demands = job.demandsPhrase { facts.append(demands.html) }
        if job.gateFirst {
            facts.append("<strong>gate first</strong> \(Self.small("the last one failed or never ran"))")
        } else if let purpose = job.purposeWithoutPhases {
            facts.append(purpose)
        }
        if let recovery = job.recoveryPhrase { facts.append("<strong>\(recovery.html)</strong>") }
        if let order = job.orderPhrase { facts.append(order.html) }
        if let gate = job.gatePhrase { facts.append("gate: \(gate.html)") }
        if let warning = job.reloadWarning { facts.append("<strong>\(warning.html)</strong>") }
        if let failures = job.failuresPhrase { facts.append(failures.html) }
        if let unreachable = job.unreachablePhrase { facts.append(unreachable.html) }
        facts += job.attemptPhrases.map(\.html)
        if let ports = job.portsPhrase { facts.append(ports.html) }
        if !facts.isEmpty {
            out += "<ul class=\"facts\">\n" + facts.map { "<li>\($0)</li>\n" }.joined() + "</ul>\n"
        }
        if let hooks = job.hooksPhrase { write(hooks, job.hookGroups) }
        for phase in job.phases { write(phase, of: job) }
        for section in outlines[job.job]?.sections ?? [] { write(section) }
        out += "</div>\n</details>\n"
    }

    private mutating func write(_ phase: Plan.Phase, of job: Plan.Job) {
        out += "<h3>\(Self.title(phase.titlePhrase(in: job)))</h3>\n<ol class=\"batches\">\n"
        let items = BatchOutline(phase, of: job).items
        for item in items.prefix(Self.manyRows) {
            out += "<li><span class=\"number\">\(item.number)</span><div>"
            for (place, group) in item.groups.enumerated() {
                out += "<div>\(Self.badge(group.entry.action, job.word(group.entry.action))) "
                out += WorkerList.phrase(group.workers).html
                if place == 0, let each = item.each { out += ", \(each) at a time" }
                out += " <small>\(group.reasonPhrase.html)</small>"
                for match in group.entry.matchPhrases.prefix(20) { out += "<div class=\"match\">\(match.html)</div>" }
                out += "</div>"
            }
            out += "</div></li>\n"
        }
        writeRest(items.count, "more line of this list")
        out += "</ol>\n"
    }

    // MARK: Files

    private mutating func write(_ section: FileOutline.Section) {
        out += "<h3>\(Self.title(section.title))</h3>\n<ul class=\"plain files\">\n"
        for item in section.items.prefix(Self.manyRows) {
            let (symbol, part) = Wording.symbol(item.kind)
            let style =
                switch part {
                case .start: "added"
                case .stop: "removed"
                case .change, .heading, .name, .detail: "changed"
                }
            var line = "<span class=\"symbol \(style)\">\(symbol)</span> <code>\(Escaping.html(item.path))</code>"
            for note in item.notes { line += " <small>\(note.html)</small>" }
            if let sample = item.samples.first, sample.workers == nil, case .note(let note) = sample.diff {
                out += "<li>\(line) \(Self.small(note))</li>\n"
            } else if item.samples.isEmpty {
                out += "<li>\(line)</li>\n"
            } else {
                let count = item.samples.reduce(0) { $0 + $1.diff.lineCount }
                let isOpen = item.kind == .modified && count <= Self.shortDiff
                out += "<li><details\(isOpen ? " open" : "")><summary>\(line)</summary>"
                for sample in item.samples { write(sample) }
                if item.others > 0 {
                    out += "<p class=\"hint\">\(item.othersText)</p>"
                }
                out += "</details></li>\n"
            }
        }
        writeRest(section.items.count, "more file")
        out += "</ul>\n"
    }

    private mutating func write(_ sample: FileOutline.Sample) {
        let workers = sample.workers.map { "on \($0.html):" } ?? ""
        switch sample.diff {
        case .note(let note): out += "<p class=\"hint\">\(workers) \(Self.small(note))</p>"
        case .lines(let lines, let hidden):
            if !workers.isEmpty { out += "<p class=\"hint\">\(workers)</p>" }
            write(lines, hidden: hidden)
        }
    }

    private mutating func write(_ lines: [FileDiff.Line], hidden: Int) {
        out += "<pre>"
        for line in lines {
            // Each line is a block of its own, so none can reorder or cover another.
            out += "<span class=\"\(Self.style(line.kind))\">\(Escaping.entities(FileDiff.text(line)))\n</span>"
        }
        if hidden > 0 { out += "<span class=\"mark\">… \(Wording.count(hidden, "more line"))\n</span>" }
        out += "</pre>"
    }

    private static func style(_ kind: FileDiff.Line.Kind) -> String {
        switch kind {
        case .mark: "mark"
        case .context: "context"
        case .added: "added"
        case .removed: "removed"
        }
    }

    // MARK: The end

    private mutating func writeHookInput() {
        let input = plan.hookInput
        if input.isEmpty { return }
        out += "<section>\n<h2>Values for hooks</h2>\n<ul class=\"plain\">\n"
        for phrase in input.prefix(Self.manyRows) { out += "<li>\(phrase.html)</li>\n" }
        writeRest(input.count, "more value")
        out += "</ul>\n</section>\n"
    }

    private mutating func writeUnbound() {
        let unpinned = plan.unpinned
        if unpinned.isEmpty { return }
        out += "<section>\n<h2>Not pinned by this plan</h2>\n<dl>\n"
        for item in unpinned {
            out += "<dt>\(Escaping.html(item.subject))</dt><dd>\(item.phrase.html)</dd>\n"
        }
        out += "</dl>\n</section>\n"
    }

    private mutating func writeSteps() {
        let rows = StepList.rows(plan)
        out +=
            "<section>\n<h2>Steps</h2>\n<details><summary>\(Wording.count(rows.count, "step")), in order</summary>\n<pre>"
        for row in rows.prefix(Self.manySteps) {
            out += "\(row.stage)\t\(Escaping.html(row.id.text))\n"
        }
        if rows.count > Self.manySteps { out += "… \(rows.count - Self.manySteps) more\n" }
        out += "</pre></details>\n</section>\n"
    }

    private static func badge(_ action: LifecycleAction, _ word: String) -> String {
        "<span class=\"badge a-\(action.rawValue)\">\(word)</span>"
    }

    /// - Parameter text: our own words.
    private static func small(_ text: String) -> String { "<small>\(Escaping.entities(text))</small>" }
}
