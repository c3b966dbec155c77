internal import Model
public import Plans
internal import Windows

/// A report of drift for people. Everything in it that may come from a worker is escaped.
public enum DriftReview {
    /// Lines of diffs that a terminal gets, and those of one file.
    private static let terminalLines = (all: 600, each: 60)
    /// Lines of one kind in a section; the others are counted.
    private static let manyItems = (terminal: 60, page: 1000)

    // MARK: Text

    /// For a terminal, with a line feed at the end; the summary is the last line.
    ///
    /// - Parameter width: columns of the terminal; nil leaves lines as long as they are.
    public static func text(_ report: DriftReport, color: Bool, width: Int? = nil) -> String {
        let style = Style(hasColor: color)
        let outline = DriftOutline(report)
        var lines: [String] = []
        var rest = terminalLines.all
        func add(_ indent: Int, _ text: String) {
            let line = String(repeating: " ", count: indent) + text
            lines.append(width.map { Style.broken(line, width: $0, indent: indent + 4) } ?? line)
        }
        for phrase in outline.head { add(0, phrase.terminal) }
        for section in outline.sections {
            if !lines.isEmpty { lines.append("") }
            add(0, style(.heading, section.title.terminal))
            for item in section.items.prefix(manyItems.terminal) {
                let note = item.note.map { " " + style(.detail, "(\($0))") } ?? ""
                add(2, "\(style(item.mark.part, item.mark.symbol)) \(item.phrase.terminal)\(note)")
                let shown = item.diff.prefix(min(terminalLines.each, rest))
                rest -= shown.count
                for line in shown { add(6, style(part(of: line), Escaping.line(Substring(line), limit: 300))) }
                let hidden = item.diff.count - shown.count + item.diffLeftOut
                if hidden > 0 { add(6, style(.detail, "… \(Wording.count(hidden, "more line"))")) }
            }
            if section.items.count > manyItems.terminal {
                add(2, style(.detail, "and \(Wording.count(section.items.count - manyItems.terminal, "more line"))"))
            }
        }
        if !lines.isEmpty { lines.append("") }
        add(0, style(.heading, report.summaryLine))
        return lines.joined(separator: "\n") + "\n"
    }

    private static func part(of line: String) -> Style.Part {
        switch line.utf8.first {
        case UInt8(ascii: "+"): .start
        case UInt8(ascii: "-"): .stop
        case _: .detail
        }
    }

    // MARK: Markdown

    /// Bytes of the text that are kept free for its end.
    private static let reserve = 400

    /// For the comment on a ticket: at most ``MarkdownReview/maximumSize`` bytes.
    public static func markdown(_ report: DriftReport) -> String {
        let outline = DriftOutline(report)
        var out = "### \(report.summaryLine)\n\n"
        out += "Bucket \(Escaping.code(report.bucket)), \(report.comparedAt.utcText)\n\n"
        for phrase in outline.head { out += "- \(phrase.markdown)\n" }
        if !outline.head.isEmpty { out += "\n" }
        var isCut = false
        func add(_ block: String) {
            isCut = isCut || out.utf8.count + block.utf8.count > MarkdownReview.maximumSize - reserve
            if !isCut { out += block }
        }
        for section in outline.sections {
            add("#### \(section.title.markdown)\n\n")
            for item in section.items {
                add("- \(item.phrase.markdown)\(item.note.map { " (\($0))" } ?? "")\n")
                if item.diff.isEmpty { continue }
                var lines = item.diff.map { Escaping.line(Substring($0), limit: 300) }
                if item.diffLeftOut > 0 { lines.append("… \(Wording.count(item.diffLeftOut, "more line"))") }
                let fence = Escaping.fence(for: lines)
                add("\n\(fence)diff\n\(lines.joined(separator: "\n"))\n\(fence)\n\n")
            }
            add("\n")
        }
        if isCut { out += "\n**Cut here: this text has no room for everything.** `--format html` shows it.\n" }
        return out
    }

    // MARK: HTML

    /// One page that needs nothing else: no script, no font, no request.
    public static func page(_ report: DriftReport) -> String {
        let outline = DriftOutline(report)
        let summary = Escaping.entities(report.summaryLine)
        var out = HTMLStyle.opening(title: report.summaryLine)
        out += """
            <header>
            <h1>\(summary)</h1>
            <p class="id">bucket \(Escaping.html(report.bucket)), \(report.comparedAt.utcText)</p>

            """
        if !outline.head.isEmpty {
            out += "<ul class=\"facts\">\n" + outline.head.map { "<li>\($0.html)</li>\n" }.joined() + "</ul>\n"
        }
        out += "</header>\n"
        for section in outline.sections {
            out += "<section>\n<h2>\(section.title.html)</h2>\n<ul class=\"plain files\">\n"
            for item in section.items.prefix(manyItems.page) { out += html(item) }
            if section.items.count > manyItems.page {
                out +=
                    "<li class=\"more\">and \(Wording.count(section.items.count - manyItems.page, "more line"))</li>\n"
            }
            out += "</ul>\n</section>\n"
        }
        return out + "</main>\n</body>\n</html>\n"
    }

    /// Lines of a diff up to which it is unfolded.
    private static let shortDiff = 40

    private static func html(_ item: DriftOutline.Item) -> String {
        let style =
            switch item.mark.part {
            case .start: "added"
            case .stop: "removed"
            case .change, .heading, .name, .detail: "changed"
            }
        var line = "<span class=\"symbol \(style)\">\(item.mark.symbol)</span> \(item.phrase.html)"
        if let note = item.note { line += " <small>(\(Escaping.entities(note)))</small>" }
        if item.diff.isEmpty { return "<li>\(line)</li>\n" }
        let isOpen = item.diff.count <= shortDiff
        var out = "<li><details\(isOpen ? " open" : "")><summary>\(line)</summary><pre>"
        for text in item.diff {
            let kind =
                switch text.utf8.first {
                case UInt8(ascii: "+"): "added"
                case UInt8(ascii: "-"): "removed"
                case UInt8(ascii: " "): "context"
                case _: "mark"
                }
            // Each line is a block of its own, so none can reorder or cover another.
            out += "<span class=\"\(kind)\">\(Escaping.entities(Escaping.line(Substring(text), limit: 300)))\n</span>"
        }
        if item.diffLeftOut > 0 {
            out += "<span class=\"mark\">… \(Wording.count(item.diffLeftOut, "more line"))\n</span>"
        }
        return out + "</pre></details></li>\n"
    }
}
