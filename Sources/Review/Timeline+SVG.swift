internal import Model

extension Timeline {
    private static let headHeight = 58
    /// Cells up to which each has a letter, so that nobody depends on colours.
    private static let fewCells = 4000
    /// Cells up to which each says what it is when it is pointed at; a browser takes long for more.
    private static let manyCells = 12_000

    /// HTML: a frame that scrolls, in which the head and the workers' names stay in sight.
    var html: String {
        let nameWidth = min(190, (rows.map(\.text.count).max() ?? 0) * 7 + 20)
        var out = "<div class=\"legend\">"
        for action in LifecycleAction.allCases where cells.contains(where: { $0.action == action }) {
            out += "<span><i class=\"a-\(action.rawValue)\">\(Wording.letter(action))</i> \(action.rawValue)</span>"
        }
        if columns.contains(where: \.hasGate) { out += "<span><i class=\"gate\"></i> gate</span>" }
        if !hookLines.isEmpty { out += "<span><i class=\"calls\"></i> hooks</span>" }
        out += "</div>\n<div class=\"timeline\" tabindex=\"0\" role=\"group\" aria-label=\"Timeline\">"
        out += "<div class=\"corner\">worker</div>\n"
        out += head + names(nameWidth) + body
        out += "</div>\n"
        var rest: [String] = []
        if hiddenRows > 0 { rest.append(Wording.count(hiddenRows, "more worker")) }
        if hiddenBlocks > 0 { rest.append(Wording.count(hiddenBlocks, "more job")) }
        if !rest.isEmpty { out += "<p class=\"more\">Not drawn: \(rest.joined(separator: " and ")).</p>\n" }
        return out
    }

    /// Where hooks run: at the edges of a job, and at the end of a batch before its gate.
    private var hookLines: [Int] {
        blocks.flatMap { block -> [Int] in
            let own = columns[block.columns].filter(\.hasHooks).map { $0.x + columnWidth - 1 - hookWidth }
            let end = columns[block.columns].last.map { $0.x + columnWidth + Self.margin / 2 } ?? block.x
            return (block.hooksBefore ? [block.x + Self.margin / 2] : []) + own + (block.hooksAfter ? [end] : [])
        }
    }

    private var head: String {
        var out = "<svg class=\"head\" width=\"\(width)\" height=\"\(Self.headHeight)\" aria-hidden=\"true\">"
        for (index, band) in bands.enumerated() {
            out += "<rect class=\"band\(index % 2)\" x=\"\(band.x)\" y=\"0\" width=\"\(band.width)\" "
            out += "height=\"\(Self.headHeight)\"/>"
            out += Self.clipped(band.title, x: band.x, y: 0, width: band.width, height: 20, style: "wave")
        }
        for block in blocks {
            out += Self.clipped(block.title, x: block.x, y: 20, width: block.width, height: 18, style: "job")
        }
        if columnWidth >= 20 {
            for column in columns {
                out +=
                    "<text class=\"n\" x=\"\(column.x + (columnWidth - hookWidth) / 2)\" y=\"51\">\(column.number)</text>"
            }
        }
        return out + "</svg>\n"
    }

    /// A text that cannot leave its place.
    private static func clipped(
        _ text: String, x: Int, y: Int, width: Int, height: Int, style: String
    ) -> String {
        "<svg x=\"\(x)\" y=\"\(y)\" width=\"\(width)\" height=\"\(height)\"><title>\(Escaping.html(text))</title>"
            + "<text class=\"\(style)\" x=\"6\" y=\"14\">\(Escaping.html(text))</text></svg>"
    }

    private func names(_ width: Int) -> String {
        var out = "<svg class=\"names\" width=\"\(width)\" height=\"\(height)\" role=\"list\">"
        for (index, worker) in rows.enumerated() {
            let y = index * rowHeight + rowHeight - (rowHeight - 9) / 2
            // The ends of long names tell workers apart.
            let name = worker.text.count <= 24 ? worker.text : "\(worker.text.prefix(10))…\(worker.text.suffix(13))"
            out += "<text x=\"8\" y=\"\(y)\">\(Escaping.html(name))"
            if name != worker.text { out += "<title>\(Escaping.html(worker.text))</title>" }
            out += "</text>\n"
        }
        return out + "</svg>\n"
    }

    private var body: String {
        var out = "<svg class=\"cells\" width=\"\(width)\" height=\"\(height)\" role=\"img\" "
        out += "aria-label=\"\(Wording.count(cells.count, "action")) on \(Wording.count(rows.count, "worker"))\">\n"
        for (index, band) in bands.enumerated() {
            out +=
                "<rect class=\"band\(index % 2)\" x=\"\(band.x)\" y=\"0\" width=\"\(band.width)\" height=\"\(height)\"/>"
        }
        let lines = (1..<max(rows.count, 1)).map { "M0 \($0 * rowHeight)H\(width)" }.joined()
        out += "<path class=\"grid\" d=\"\(lines)\"/>"
        let edges = blocks.map { "M\($0.x) 0V\(height)" }.joined()
        out += "<path class=\"edge\" d=\"\(edges)\"/>"
        let gates = columns.filter(\.hasGate).map { "M\($0.x + columnWidth - 1) 0V\(height)" }.joined()
        out += "<path class=\"gates\" d=\"\(gates)\"/>"
        out += "<path class=\"calls\" d=\"\(hookLines.map { "M\($0) 0V\(height)" }.joined())\"/>\n"
        let blockOfColumn = blocks.flatMap { block in block.columns.map { _ in block } }
        for action in LifecycleAction.allCases {
            let own = cells.filter { $0.action == action }
            if own.isEmpty { continue }
            out += "<g class=\"a-\(action.rawValue)\">"
            for cell in own {
                let column = columns[cell.column]
                let x = column.x + 1
                let y = cell.row * rowHeight + 2
                let (width, height) = (columnWidth - hookWidth - 3, rowHeight - 4)
                out += "<rect x=\"\(x)\" y=\"\(y)\" width=\"\(width)\" height=\"\(height)\" rx=\"2\""
                if cells.count <= Self.manyCells {
                    out += "><title>\(Escaping.html(rows[cell.row].text)): \(cell.word) "
                    out += Escaping.html(blockOfColumn[cell.column].title)
                    if let place = cell.place { out += ", \(place)" }
                    out += "</title></rect>"
                } else {
                    out += "/>"
                }
                if columnWidth >= 12, cells.count <= Self.fewCells {
                    out += "<text x=\"\(x + width / 2)\" y=\"\(y + height - (height - 8) / 2)\">"
                    out += "\(Wording.letter(action))</text>"
                }
                out += "\n"
            }
            out += "</g>\n"
        }
        return out + "</svg>\n"
    }
}
