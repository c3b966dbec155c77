internal import Model
public import Plans

/// A plan as a text for people: what happens where, in which order, and why.
///
/// Readable for three workers and for three thousand: equal entries are grouped, long lists are counted. All texts from the
/// plan are escaped, so that none can forge a line of the review.
public struct TextReview {
    private let outline: ReviewOutline
    private let style: Style
    private let width: Int?
    private let showsHosts: Bool
    private var lines: [String] = []

    /// Files of one section that are shown; the others are counted.
    private static let shownFiles = 30
    /// Values for hooks that are shown; the others are counted.
    private static let shownValues = 100
    /// Rows of the first table.
    private static let shownRows = 40

    private init(_ outline: ReviewOutline, _ style: Style, width: Int?, showsHosts: Bool) {
        self.outline = outline
        self.width = width
        self.style = style
        self.showsHosts = showsHosts
    }

    /// The text, with a line feed at its end.
    ///
    /// - Parameters:
    ///   - contents: for the diffs of modified files, and for new files that are code (`WholeFiles.newCode`); without them
    ///     only the paths are shown.
    ///   - width: columns of the terminal; longer lines are broken here and indented, so that no text of a plan can
    ///     begin a row. Nil leaves lines as long as they are.
    ///   - showsHosts: whether all hosts of long lists are named at the end.
    ///   - context: what else is known.
    public static func text(
        _ file: PlanFile, contents: FileContents = .none, color: Bool, width: Int? = nil, showsHosts: Bool = false,
        _ context: ReviewContext = .init()
    ) -> String {
        let diffs = DiffReader(contents, whole: .newCode, perFile: 60, total: 600)
        var review = TextReview(
            ReviewOutline(file, contents, diffs, context), Style(hasColor: color), width: width, showsHosts: showsHosts)
        review.write()
        return review.lines.joined(separator: "\n") + "\n"
    }

    /// The first lines of the text, with the summary as the first of all: at most `rows` of at most `columns`.
    public static func screen(_ file: PlanFile, rows: Int, columns: Int) -> [String] {
        let outline = ReviewOutline(
            file, .none, DiffReader(.none, whole: .newCode, perFile: 0, total: 0), ReviewContext())
        var review = TextReview(outline, Style(hasColor: false), width: columns, showsHosts: false)
        review.write()
        let all =
            [outline.summary, ""] + review.lines.dropLast(2).flatMap { $0.split(separator: "\n").map(String.init) }
        guard all.count > rows else { return all }
        return all.prefix(max(rows - 1, 1)) + [
            "… and \(all.count - rows + 1) more lines, which `maand-plan show` shows"
        ]
    }

    private mutating func write() {
        add(0, style(.heading, "Plan \(outline.id)"))
        writeVerdict()
        if let since = outline.since { write(since) }
        for part in outline.parts {
            switch part {
            case .stops(let stops): write(stops)
            case .wave(let wave):
                addHeading(wave.title)
                for job in wave.jobs { write(job) }
            case .lines(let title, let lines):
                addHeading(title)
                for line in lines { add(2, line.terminal) }
            }
        }
        writeEnd()
        add(0, "")
        add(0, style(.heading, outline.summary))
    }

    private mutating func add(_ indent: Int, _ text: String) {
        let line = text.isEmpty ? "" : String(repeating: " ", count: indent) + text
        lines.append(width.map { Style.broken(line, width: $0, indent: indent + 6) } ?? line)
    }

    private mutating func addHeading(_ title: String) {
        add(0, "")
        add(0, style(.heading, title))
    }

    // MARK: The beginning

    private mutating func writeVerdict() {
        let verdict = outline.verdict
        if !verdict.concerns.isEmpty { addHeading("Look here first") }
        for concern in verdict.concerns {
            let title = style(.stop, "! ") + style(.name, concern.title)
            if let detail = concern.details.first, concern.details.count == 1 {
                add(2, "\(title): \(detail.terminal)")
            } else {
                add(2, title)
                for detail in concern.details { add(6, detail.terminal) }
            }
        }
        if let absent = verdict.absent {
            if verdict.concerns.isEmpty { add(0, "") }
            add(verdict.concerns.isEmpty ? 0 : 2, style(.detail, absent))
        }
        if !verdict.rows.isEmpty {
            addHeading("What happens")
            for line in table(verdict.rows) { add(2, line) }
        }
        if outline.rules.isEmpty { return }
        add(0, "")
        for rule in outline.rules {
            add(0, "\(style(.name, rule.title)): \(rule.phrase.terminal)")
            for detail in rule.details { add(2, detail.terminal) }
        }
    }

    /// In columns if there is room for them; otherwise two lines for each job.
    private func table(_ rows: [Verdict.Row]) -> [String] {
        let shown = rows.prefix(Self.shownRows)
        var lines = Self.aligned([Verdict.Row.columns] + shown.map { $0.cells.map(\.terminal) })
        if let width, lines.contains(where: { $0.count + 2 > width }) {
            lines = shown.flatMap { row -> [String] in
                let cells = row.cells.map(\.terminal)
                return [
                    "\(cells[0]): \(style(.name, cells[1])) \(cells[3]): \(cells[2])",
                    "    hosts: \(cells[4]); batches: \(cells[5]); largest: \(cells[6]); gate: \(cells[7]); bake: \(cells[8]); "
                        + "time: \(cells[9])",
                ]
            }
        }
        let rest = rows.count - shown.count
        return lines + (rest > 0 ? ["and \(Wording.count(rest, "more line"))"] : [])
    }

    /// - Parameter rows: escaped cells.
    private static func aligned(_ rows: [[String]]) -> [String] {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (cell, width) in zip(row, widths) {
                line += cell + String(repeating: " ", count: width - cell.count + 2)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    private mutating func write(_ since: ReviewOutline.Since) {
        addHeading("What is different from the plan \(since.id)")
        for line in since.difference.lines(style) { add(2, line) }
        if since.difference.isEmpty { add(2, "nothing: both plans do the same") }
        if let unchanged = since.unchangedPhrase { add(2, style(.detail, unchanged.terminal)) }
    }

    // MARK: Stops

    private mutating func write(_ stops: StopsOutline) {
        addHeading(stops.title)
        for line in stops.lines {
            let job = line.what.terminal
            add(2, style(.stop, "- stop") + " \(job) on \(line.hosts.terminal)" + detail(line.reason))
        }
        for hooks in stops.hooks {
            add(2, hooks.title.terminal)
            for group in hooks.groups { write(group, indent: 4) }
        }
        for files in stops.files { write(files) }
    }

    private mutating func write(_ group: HookGroup, indent: Int) {
        add(indent, group.title.terminal)
        for (index, hook) in group.hooks.enumerated() { add(indent + 2, "\(index + 1). \(hook.phrase.terminal)") }
    }

    // MARK: Jobs

    private mutating func write(_ job: JobOutline) {
        let what = job.counts.map { style(Wording.part($0.action), "\($0.count) to \($0.word)") }
        add(
            2,
            style(.name, job.job.text) + " " + job.versions.terminal
                + (what.isEmpty ? "" : ": " + what.joined(separator: ", ")))
        for fact in job.facts {
            switch fact.weight {
            case .strong: add(6, style(.change, fact.phrase.terminal))
            case .normal: add(6, fact.phrase.terminal)
            case .detail: add(6, style(.detail, fact.phrase.terminal))
            }
        }
        for phase in job.phases { write(phase) }
        if let title = job.hooksTitle {
            add(6, title.terminal)
            for group in job.hookGroups { write(group, indent: 8) }
        }
        for section in job.files { write(section) }
    }

    private mutating func write(_ phase: JobOutline.Phase) {
        add(6, phase.title.terminal)
        for item in phase.items {
            let size = item.each.map { ", \($0) at a time" } ?? ""
            for (place, group) in item.groups.enumerated() {
                let action = group.entry.action
                let label = place == 0 ? "\(item.number)." : String(repeating: " ", count: item.number.count + 1)
                add(
                    8,
                    "\(label) " + style(Wording.part(action), "\(Wording.symbol(action)) \(group.word)") + " "
                        + group.hosts.terminal + (place == 0 ? size : "") + detail(group.reasonPhrase.terminal))
                for match in group.entry.matchPhrases { add(8 + label.count + 3, style(.detail, match.terminal)) }
            }
        }
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

    // MARK: The end

    private mutating func writeEnd() {
        let input = outline.hookInput
        if !input.isEmpty { addHeading("Values for hooks") }
        for phrase in input.prefix(Self.shownValues) { add(2, phrase.terminal) }
        let rest = input.count - Self.shownValues
        if rest > 0 { add(2, "and \(Wording.count(rest, "more value")), which `show --format json` lists") }
        if !outline.about.isEmpty { addHeading("About this plan") }
        for fact in outline.about {
            add(2, fact.phrase.terminal)
            for detail in fact.details { add(4, style(.detail, detail.terminal)) }
        }
        writeHosts()
        if outline.unpinned.isEmpty { return }
        addHeading("Not pinned by this plan")
        add(2, style(.detail, outline.unpinned.map(\.short.terminal).joined(separator: "; ")))
        add(2, style(.detail, "(`--format markdown` and `--format html` explain each of them)"))
    }

    private mutating func writeHosts() {
        if outline.hosts.isEmpty { return }
        addHeading("Hosts of long lists")
        if !showsHosts { return add(2, "`--hosts` names all of them here") }
        for list in outline.hosts {
            add(2, "list \(list.digest), \(Wording.count(list.workers.count, "host")):")
            for range in list.full { add(4, Wording.safe(range)) }
        }
    }

    private func detail(_ text: String) -> String { style(.detail, "  (\(text))") }
}

extension FileDiff.Line.Kind {
    var part: Style.Part {
        switch self {
        case .mark, .context: .detail
        case .added: .start
        case .removed: .stop
        }
    }
}
