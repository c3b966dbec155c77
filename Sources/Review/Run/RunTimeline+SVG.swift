internal import Model

extension RunTimeline {
    private static let headHeight = 24
    /// Bars up to which each says what it is when it is pointed at; a browser takes long for more.
    private static let manyBars = 12_000

    /// HTML: a frame that scrolls, in which the times and the names stay in sight.
    var html: String {
        if rows.isEmpty { return "" }
        let kinds = Kind.allCases.filter { kind in bars.contains { $0.kind == kind } }
        var out = "<div class=\"legend\">"
        for kind in kinds {
            out +=
                "<span><i class=\"k-\(kind.rawValue)\">\(kind.letter.isEmpty ? "&#160;" : kind.letter)</i> \(kind.words)</span>"
        }
        if bars.contains(where: { $0.expectedX != nil }) {
            out += "<span><i class=\"usual\"></i> until when half of the earlier ones were done</span>"
        }
        if !gaps.isEmpty { out += "<span><i class=\"gap\"></i> nothing under way, drawn narrow</span>" }
        out += "</div>\n<div class=\"run-timeline\" tabindex=\"0\" role=\"group\" aria-label=\"Timeline of the run\">"
        out += "<div class=\"corner\">UTC</div>\n" + head + names + body + "</div>\n"
        if hiddenRows > 0 { out += "<p class=\"more\">Not drawn: \(Wording.count(hiddenRows, "more worker")).</p>\n" }
        return out
    }

    private var nameWidth: Int { min(190, (rows.map(\.title.count).max() ?? 0) * 7 + 20) }
    private var height: Int { rows.count * rowHeight }

    private var head: String {
        var out = "<svg class=\"head\" width=\"\(width)\" height=\"\(Self.headHeight)\" aria-hidden=\"true\">"
        for tick in ticks { out += "<text x=\"\(tick.x + 3)\" y=\"15\">\(tick.text)</text>" }
        return out + "</svg>\n"
    }

    private var names: String {
        var out = "<svg class=\"names\" width=\"\(nameWidth)\" height=\"\(height)\" role=\"list\">"
        for (index, row) in rows.enumerated() {
            let y = index * rowHeight + rowHeight - (rowHeight - 9) / 2
            // The ends of long names tell workers apart.
            let name = row.title.count <= 25 ? row.title : "\(row.title.prefix(10))…\(row.title.suffix(13))"
            let full = row.names ?? row.title
            out += "<text\(row.isJob ? " class=\"job\"" : "") x=\"8\" y=\"\(y)\">\(Escaping.html(name))"
            if name != full { out += "<title>\(Escaping.html(full))</title>" }
            out += "</text>\n"
        }
        return out + "</svg>\n"
    }

    private var body: String {
        var out = "<svg class=\"bars\" width=\"\(width)\" height=\"\(height)\" role=\"img\" "
        out += "aria-label=\"\(Wording.count(bars.count, "bar")) in \(Wording.count(rows.count, "row"))\">\n"
        let jobs = rows.prefix(while: \.isJob).count
        if jobs > 0 { out += "<rect class=\"jobs\" width=\"\(width)\" height=\"\(jobs * rowHeight)\"/>" }
        let lines = (1..<max(rows.count, 1)).map { "M0 \($0 * rowHeight)H\(width)" }.joined()
        out += "<path class=\"grid\" d=\"\(lines)\"/>"
        out += "<path class=\"grid\" d=\"\(ticks.map { "M\($0.x) 0V\(height)" }.joined())\"/>\n"
        for gap in gaps {
            out += "<rect class=\"gap\" x=\"\(gap.x + 2)\" y=\"0\" width=\"\(Self.gapWidth - 4)\" height=\"\(height)\">"
            out += "<title>\(Escaping.html(gap.text))</title></rect>\n"
        }
        for kind in Kind.allCases {
            let own = bars.filter { $0.kind == kind }
            if own.isEmpty { continue }
            out += "<g class=\"k-\(kind.rawValue)\">"
            for bar in own { out += svg(bar) }
            out += "</g>\n"
        }
        let usual = bars.compactMap { bar in
            bar.expectedX.map { "M\(bar.x) \(bar.row * rowHeight + rowHeight - 3)H\(max($0, bar.x + 1))v-3" }
        }
        return out + "<path class=\"usual\" d=\"\(usual.joined())\"/></svg>\n"
    }

    private func svg(_ bar: Bar) -> String {
        let (y, height) = (bar.row * rowHeight + 3, rowHeight - 8)
        var out = "<rect x=\"\(bar.x)\" y=\"\(y)\" width=\"\(bar.width)\" height=\"\(height)\" rx=\"2\""
        out += bars.count <= Self.manyBars ? "><title>\(Escaping.html(bar.title))</title></rect>" : "/>"
        if !bar.kind.letter.isEmpty, bar.width >= 9 {
            out += "<text x=\"\(bar.x + bar.width / 2)\" y=\"\(y + height - 1)\">\(bar.kind.letter)</text>"
        }
        return out + "\n"
    }
}
