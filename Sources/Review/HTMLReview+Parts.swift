internal import Model
internal import Plans

// The parts of the page below its beginning: stops, jobs, hooks and files.

extension HTMLReview {
    /// Lines of a diff up to which it is unfolded.
    private static let shortDiff = 40

    mutating func noteShown() {
        for part in outline.parts {
            switch part {
            case .stops(let stops): noteShown(stops.files)
            case .wave(let wave): for job in wave.jobs { noteShown(job.files) }
            case .lines: break
            }
        }
    }

    private mutating func noteShown(_ sections: [FileOutline.Section]) {
        for item in sections.lazy.flatMap({ $0.items.prefix(Self.manyRows) }) {
            for sample in item.samples where sample.diff.lineCount > 0 {
                if let digest = sample.change.to { shown.insert(digest) }
            }
        }
    }

    mutating func write(_ lines: [Phrase]) {
        out += "<ul class=\"plain\">\n" + lines.map { "<li>\($0.html)</li>\n" }.joined() + "</ul>\n"
    }

    // MARK: Stops and jobs

    mutating func write(_ stops: StopsOutline) {
        out += "<ul class=\"plain\">\n"
        for line in stops.lines.prefix(Self.manyRows) {
            out += "<li>\(Self.badge(.stop, LifecycleAction.stop.rawValue)) \(line.what.html) on \(line.hosts.html) "
            out += "\(Self.small(line.reason))</li>\n"
        }
        writeRest(stops.lines.count, "more line")
        out += "</ul>\n"
        for hooks in stops.hooks { write(hooks.title, hooks.groups) }
        for files in stops.files { write(files) }
    }

    mutating func write(_ job: JobOutline, isOpen: Bool) {
        out += "<details class=\"job\"\(isOpen ? " open" : "")>\n<summary><b>\(Escaping.html(job.job.text))</b> "
        out += "<span>\(job.versions.html)</span>"
        for (action, _, count) in job.counts {
            out += " \(Self.badge(action, "\(count) \(action.rawValue)"))"
        }
        out += "</summary>\n<div class=\"inside\">\n"
        if !job.facts.isEmpty {
            out += "<ul class=\"facts\">\n"
            for fact in job.facts {
                out +=
                    fact.weight == .strong
                    ? "<li><strong>\(fact.phrase.html)</strong></li>\n" : "<li>\(fact.phrase.html)</li>\n"
            }
            out += "</ul>\n"
        }
        for phase in job.phases { write(phase) }
        if let title = job.hooksTitle { write(title, job.hookGroups) }
        for section in job.files { write(section) }
        out += "</div>\n</details>\n"
    }

    private mutating func write(_ phase: JobOutline.Phase) {
        out += "<h3>\(Self.title(phase.title))</h3>\n<ol class=\"batches\">\n"
        for item in phase.items.prefix(Self.manyRows) {
            out += "<li><span class=\"number\">\(item.number)</span><div>"
            for (place, group) in item.groups.enumerated() {
                out += "<div>\(Self.badge(group.entry.action, group.word)) \(group.hosts.html)"
                if place == 0, let each = item.each { out += ", \(each) at a time" }
                out += " <small>\(group.reasonPhrase.html)</small>"
                for match in group.entry.matchPhrases.prefix(20) { out += "<div class=\"match\">\(match.html)</div>" }
                out += "</div>"
            }
            out += "</div></li>\n"
        }
        writeRest(phase.items.count, "more line of this list")
        out += "</ol>\n"
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

    /// The script, if it is at hand and is not among the changed files.
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
                let whole = item.kind == .modified ? "" : " \(Self.small("its text, \(Wording.count(count, "line"))"))"
                out += "<li><details\(isOpen ? " open" : "")><summary>\(line)\(whole)</summary>"
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

    // MARK: Pieces

    /// The phrase as a heading: it begins with our own words.
    static func title(_ phrase: Phrase) -> String {
        let html = phrase.html
        return html.prefix(1).uppercased() + html.dropFirst()
    }

    mutating func writeRest(_ count: Int, _ what: String) {
        if count > Self.manyRows {
            out += "<li class=\"more\">and \(Wording.count(count - Self.manyRows, what))</li>\n"
        }
    }

    /// What is done, with the sign that it has everywhere, so that nobody needs its color.
    static func badge(_ action: LifecycleAction, _ word: String) -> String {
        "<span class=\"badge a-\(action.rawValue)\">\(word)</span>"
    }

    /// - Parameter text: our own words; what is in backticks becomes code.
    static func withCode(_ text: String) -> String {
        let parts = Escaping.entities(text).split(separator: "`", omittingEmptySubsequences: false)
        return parts.enumerated().map { $0.offset % 2 == 1 ? "<code>\($0.element)</code>" : "\($0.element)" }.joined()
    }

    /// - Parameter text: our own words.
    static func small(_ text: String) -> String { "<small>\(Escaping.entities(text))</small>" }
}
