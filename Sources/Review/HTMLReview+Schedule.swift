internal import Plans

// The drawing of what happens when, and the table of hosts.

extension HTMLReview {
    /// A band for each wave; in it a lane for each job, and in the lane a box for each batch with what follows it.
    mutating func writeBands(_ schedule: Schedule) {
        if schedule.bands.isEmpty { return }
        section("when", "Order of batches") { page in
            page.out +=
                "<p class=\"hint\">A box is a batch, or several equal ones: the hosts of a batch act at the same time. The "
            page.out += "jobs of a wave run side by side; a wave begins when the one before it is done. "
            page.out +=
                "\(Self.html(.gate)) a health check that must pass, \(Self.html(.hooks("hook"))) commands on the "
            page.out += "controller, \(Self.html(.wait("bake"))) a wait.</p>\n"
            for band in schedule.bands {
                page.out += "<div class=\"band\">\n<h3>\(Escaping.entities(band.title))"
                if !band.note.isEmpty { page.out += " \(Self.small(band.note))" }
                page.out += "</h3>\n"
                for lane in band.lanes { page.write(lane) }
                page.out += "</div>\n"
            }
            if schedule.hiddenJobs > 0 {
                page.out += "<p class=\"hint\">and \(Wording.count(schedule.hiddenJobs, "more job"))</p>\n"
            }
        }
    }

    private mutating func write(_ lane: Schedule.Lane) {
        out += "<div class=\"lane\"><div class=\"what\"><b>\(lane.title.html)</b> \(Self.small(lane.time))</div><ol>"
        for mark in lane.before { out += "<li>\(Self.html(mark))</li>" }
        for box in lane.boxes {
            out += "<li><div class=\"box\"><span class=\"place\">\(Escaping.entities(box.title))</span>"
            for (action, text) in box.actions { out += " \(Self.badge(action, Escaping.html(text)))" }
            out += "<span class=\"on\">\(box.hosts.html)</span></div>"
            for mark in box.marks { out += Self.html(mark) }
            out += "</li>"
        }
        for mark in lane.after { out += "<li>\(Self.html(mark))</li>" }
        out += "</ol></div>\n"
    }

    private static func html(_ mark: Schedule.Mark) -> String {
        switch mark {
        case .gate: "<span class=\"mark gate\">◆ gate</span>"
        case .hooks(let text): "<span class=\"mark calls\">ƒ \(text)</span>"
        case .wait(let text): "<span class=\"mark wait\">◷ \(text)</span>"
        }
    }

    /// A row for all hosts to which the same happens.
    mutating func writeRows(_ schedule: Schedule) {
        if schedule.rows.isEmpty { return }
        section("who", "Which host when") { page in
            page.out += "<p class=\"hint\">Hosts to which the same happens share a row.</p>\n"
            page.out +=
                "<div class=\"wide\"><table class=\"hosts\">\n<thead><tr><th scope=\"col\">hosts</th><th scope=\"col\" "
            page.out += "class=\"n\">number</th>"
            for column in schedule.columns {
                page.out +=
                    "<th scope=\"col\"><small>\(Escaping.entities(column.band))</small><br>\(Escaping.html(column.title))</th>"
            }
            page.out += "</tr></thead>\n<tbody>\n"
            for row in schedule.rows {
                page.out += "<tr><th scope=\"row\">\(row.hosts.html)</th><td class=\"n\">\(row.count)</td>"
                for cell in row.cells { page.out += "<td>\(cell.map(Escaping.html) ?? "<small>–</small>")</td>" }
                page.out += "</tr>\n"
            }
            page.out += "</tbody>\n</table></div>\n"
            if schedule.hiddenHosts > 0 {
                page.out +=
                    "<p class=\"hint\">and \(Wording.count(schedule.hiddenHosts, "more host")) in other rows</p>\n"
            }
        }
    }
}
