internal import Model
public import Plans

/// A plan as a text for people: what happens where, in which order, and why.
///
/// Readable for three workers and for three thousand: equal entries are grouped, long lists are cut and counted. The
/// plan file has every detail. All texts from the plan are escaped, so that none can forge a line of the review.
public struct TextReview {
    private let file: PlanFile
    private var plan: Plan
    private let style: Style
    private var diffs: DiffReader
    /// Nil if the plan acts on allocations.
    private let outline: WorkerOutline?
    private let width: Int?
    private let outlook: WindowOutlook?
    private var lines: [String] = []

    /// Files of one section that are shown; the others are counted.
    private static let shownFiles = 30
    /// Values for hooks that are shown; the others are counted.
    private static let shownValues = 100

    private init(_ file: PlanFile, _ contents: FileContents, _ style: Style, _ width: Int?, _ outlook: WindowOutlook?) {
        self.file = file
        self.outlook = outlook
        self.width = width
        diffs = DiffReader(contents, whole: .newModules, perFile: 60, total: 600)
        outline = WorkerOutline(file.plan, contents)
        plan = file.plan
        self.style = style
    }

    /// The text, with a line feed at its end.
    ///
    /// - Parameters:
    ///   - contents: for the diffs of modified files, and for new files below `_modules/`; without them only the paths are
    ///     shown.
    ///   - width: columns of the terminal; longer lines are broken here and indented, so that no text of a plan can
    ///     begin a row. Nil leaves lines as long as they are.
    ///   - outlook: when the plan may run next.
    public static func text(
        _ file: PlanFile, contents: FileContents = .none, color: Bool, width: Int? = nil, outlook: WindowOutlook? = nil
    ) -> String {
        var review = TextReview(file, contents, Style(hasColor: color), width, outlook)
        review.write()
        return review.lines.joined(separator: "\n") + "\n"
    }

    /// The first lines of the text, with the summary as the first of all: at most `rows` of at most `columns`.
    public static func screen(_ file: PlanFile, rows: Int, columns: Int) -> [String] {
        var review = TextReview(file, .none, Style(hasColor: false), columns, nil)
        review.write()
        let all =
            [file.plan.summaryLine, ""]
            + review.lines.dropLast(2).flatMap { $0.split(separator: "\n").map(String.init) }
        guard all.count > rows else { return all }
        return all.prefix(max(rows - 1, 1)) + [
            "… and \(all.count - rows + 1) more lines, which `maand-plan show` shows"
        ]
    }

    private mutating func write() {
        writeHead()
        writeParts()
        if let (back, facts) = plan.wayBackPart {
            let forth = plan
            plan = back
            add(0, "")
            add(0, style(.heading, "Way back"))
            for fact in facts { add(2, fact.terminal) }
            writeParts()
            plan = forth
        }
        writeHookInput()
        add(0, "")
        if !plan.isEmpty {
            add(0, "Not pinned by this plan:")
            for item in plan.unpinned { add(2, style(.detail, "\(item.subject): \(item.detail)")) }
            add(0, "")
        }
        add(0, style(.heading, plan.summaryLine))
    }

    /// What is done, in its order.
    private mutating func writeParts() {
        if !plan.reconcile.isEmpty, !plan.stopsAreLast { writeStops() }
        if let outline {
            write(outline)
        } else {
            writeWaves()
        }
        if !plan.reconcile.isEmpty, plan.stopsAreLast { writeStops() }
    }

    private mutating func add(_ indent: Int, _ text: String) {
        let line = text.isEmpty ? "" : String(repeating: " ", count: indent) + text
        lines.append(width.map { Style.broken(line, width: $0, indent: indent + 6) } ?? line)
    }

    // MARK: Workers and waves

    private mutating func write(_ outline: WorkerOutline) {
        for section in outline.sections {
            add(0, "")
            add(0, style(.heading, section.title))
            for line in section.lines { add(2, line.terminal) }
        }
    }

    private mutating func writeWaves() {
        for wave in plan.waves {
            add(0, "")
            add(0, style(.heading, "\(plan.waveTitle) \(wave.deploymentSequence)"))
            for job in wave.jobs { write(job) }
        }
    }

    // MARK: Head

    private mutating func writeHead() {
        add(0, style(.heading, "Plan \(file.id)"))
        for fact in plan.headFacts(outlook) {
            add(0, fact.phrase.terminal)
            for detail in fact.details { add(2, detail.terminal) }
        }
    }

    // MARK: Stops

    private mutating func writeStops() {
        add(0, "")
        add(0, style(.heading, plan.stopsTitle))
        for group in StopGroup.groups(plan.reconcile) {
            let stop = group.stop
            add(
                2,
                style(.stop, "- stop")
                    + " \(style(.name, stop.allocation.job.text)) \(Wording.safe(stop.from.version)) on "
                    + WorkerList.text(group.workers) + detail(group.reasonText))
        }
        for hooks in plan.stopHooks {
            add(2, hooks.titlePhrase.terminal)
            for group in hooks.groups(in: plan) { write(group, indent: 4) }
            if let files = FileOutline.modules(hooks.modules, &diffs) { write(files) }
        }
    }

    // MARK: Hooks

    private mutating func write(_ group: HookGroup, indent: Int) {
        add(indent, group.title.terminal)
        for (index, hook) in group.hooks.enumerated() { add(indent + 2, "\(index + 1). \(hook.phrase.terminal)") }
    }

    private mutating func writeHookInput() {
        let input = plan.hookInput
        if input.isEmpty { return }
        add(0, "")
        add(0, "Values for hooks:")
        for phrase in input.prefix(Self.shownValues) { add(2, phrase.terminal) }
        let rest = input.count - Self.shownValues
        if rest > 0 { add(2, "and \(Wording.count(rest, "more value")), which `show --format json` lists") }
    }

    // MARK: Jobs

    private mutating func write(_ job: Plan.Job) {
        let what = job.actionCounts.map {
            style(
                Wording.part($0.action),
                "\($0.count) to \($0.action == .run ? "run the target on" : $0.action.rawValue)")
        }
        add(
            2,
            style(.name, job.job.text) + " " + job.versionsPhrase.terminal
                + (what.isEmpty ? "" : ": " + what.joined(separator: ", ")))
        if let demands = job.demandsPhrase { add(6, style(.detail, demands.terminal)) }
        if job.gateFirst {
            add(6, style(.change, "gate first") + detail("the last one failed or never ran"))
        } else if let purpose = job.purposeWithoutPhases {
            add(6, purpose)
        }
        if let recovery = job.recoveryPhrase { add(6, style(.change, recovery.terminal)) }
        // A way back in the same plan undoes the changes that are shown above.
        if plan.origin?.isPartOfRun != true {
            for section in FileOutline(job, &diffs).sections { write(section) }
        }
        if let hooks = job.hooksPhrase {
            add(6, hooks.terminal)
            for group in job.hookGroups { write(group, indent: 8) }
        }
        if let order = job.orderPhrase { add(6, order.terminal) }
        for phase in job.phases { write(phase, of: job) }
        if let gate = job.gatePhrase { add(6, "gate: " + gate.terminal) }
        if let warning = job.reloadWarning { add(6, style(.change, warning.terminal)) }
        if let failures = job.failuresPhrase { add(6, style(.detail, failures.terminal)) }
        if let unreachable = job.unreachablePhrase { add(6, style(.detail, unreachable.terminal)) }
        for phrase in job.attemptPhrases { add(6, style(.detail, phrase.terminal)) }
        if let ports = job.portsPhrase { add(6, style(.detail, ports.terminal)) }
    }

    private mutating func write(_ section: FileOutline.Section) {
        add(6, section.title.terminal)
        for item in section.items.prefix(Self.shownFiles) {
            let (symbol, part) = Wording.symbol(item.kind)
            var line = style(part, symbol) + " " + Wording.safe(item.path)
            for note in item.notes { line += detail(note.terminal) }
            if let sample = item.samples.first, sample.workers == nil, case .note(let note) = sample.diff {
                line += detail(note)
            }
            add(8, line)
            for sample in item.samples { write(sample) }
            if item.others > 0 { add(10, style(.detail, item.othersText)) }
        }
        let rest = section.items.count - Self.shownFiles
        if rest > 0 { add(8, "and \(Wording.count(rest, "more file"))") }
    }

    /// Our own lines are less indented than any of a file, so that none can look like them.
    private mutating func write(_ sample: FileOutline.Sample) {
        switch sample.diff {
        case .note(let note):
            if let workers = sample.workers { add(10, "on \(workers.terminal): " + style(.detail, note)) }
        case .lines(let lines, let hidden):
            if let workers = sample.workers { add(10, "on \(workers.terminal):") }
            for line in lines { add(12, style(line.kind.part, FileDiff.text(line))) }
            if hidden > 0 { add(12, style(.detail, "… \(Wording.count(hidden, "more line"))")) }
        }
    }

    // MARK: Batches

    private mutating func write(_ phase: Plan.Phase, of job: Plan.Job) {
        add(6, phase.titlePhrase(in: job).terminal)
        for item in BatchOutline(phase, of: job).items {
            let size = item.each.map { ", \($0) at a time" } ?? ""
            for (place, group) in item.groups.enumerated() {
                let action = group.entry.action
                let label = place == 0 ? "\(item.number)." : String(repeating: " ", count: item.number.count + 1)
                add(
                    8,
                    "\(label) "
                        + style(Wording.part(action), "\(Wording.symbol(action)) \(job.word(action))") + " "
                        + WorkerList.text(group.workers) + (place == 0 ? size : "")
                        + detail(group.reasonPhrase.terminal))
                for match in group.entry.matchPhrases { add(8 + label.count + 3, style(.detail, match.terminal)) }
            }
        }
    }

    private func detail(_ text: String) -> String { style(.detail, "  (\(text))") }
}

extension FileDiff.Line.Kind {
    fileprivate var part: Style.Part {
        switch self {
        case .mark, .context: .detail
        case .added: .start
        case .removed: .stop
        }
    }
}
