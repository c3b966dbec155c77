internal import YAML

extension MaintenanceWindow {
    /// What keeps the value from being a window, for people; nil where it is one.
    var problem: String? {
        if !(1...Self.maximumOpenings).contains(openings.count) {
            return "a window has 1 to \(Self.maximumOpenings) openings"
        }
        if freezes.count > Self.maximumFreezes { return "a window has at most \(Self.maximumFreezes) freezes" }
        for opening in openings {
            switch opening {
            case .once(let interval):
                if interval.from >= interval.until { return "an opening ends before it begins" }
                if interval.until.seconds - interval.from.seconds <= cutoff {
                    return "the cutoff leaves nothing of an opening"
                }
            case .recurring(let recurrence):
                if recurrence.days.isEmpty { return "a recurring opening has at least one day" }
                if !Self.durations.contains(recurrence.duration) {
                    return "a recurring opening lasts 1 second to 7 days"
                }
                if recurrence.duration <= cutoff { return "the cutoff leaves nothing of an opening" }
                if recurrence.neverOccurs {
                    return "an opening is on days that its months do not have, so it never comes"
                }
            }
        }
        return freezes.contains { $0.interval.from >= $0.interval.until } ? "a freeze ends before it begins" : nil
    }

    func emit(into out: inout Emitter) {
        out.mapping("window") { out in
            out.field("zone", .string(zone))
            out.sequence("openings") { out in
                for opening in openings {
                    out.mappingItem(.flow) { out in
                        switch opening {
                        case .once(let interval): interval.emit("not_before", "not_after", into: &out)
                        case .recurring(let recurrence): recurrence.emit(into: &out)
                        }
                    }
                }
            }
            out.field("cutoff_seconds", .int(cutoff))
            out.sequence("freezes") { out in
                for freeze in freezes {
                    out.mappingItem(.flow) { out in
                        freeze.interval.emit("from", "until", into: &out)
                        if !freeze.reason.isEmpty { out.field("reason", .string(freeze.reason)) }
                    }
                }
            }
        }
    }
}

extension FixedInterval {
    fileprivate func emit(_ first: String, _ last: String, into out: inout Emitter) {
        out.field(first, .string(from.utcText))
        out.field(last, .string(until.utcText))
        guard let local else { return }
        out.sequence("local", .flow) { out in
            out.item(.string(local.from.text))
            out.item(.string(local.until.text))
        }
    }
}

extension Recurrence {
    fileprivate func emit(into out: inout Emitter) {
        out.sequence("on", .flow) { out in for day in days { out.item(.string(day.text)) } }
        if !months.isEmpty {
            out.sequence("months", .flow) { out in for month in months { out.item(.int(month)) } }
        }
        out.field("at", .string(CivilTime.text(ofDay: time)))
        out.field("duration_seconds", .int(duration))
    }
}

extension NodeReading {
    /// A plan's `window`; nil after an error, and for null.
    func window(_ node: Node?) -> MaintenanceWindow? {
        guard let node, !reader.isNull(node) else { return nil }
        return fields(node) { map in
            let zoneNode = map.required("zone")
            let zone = string(zoneNode)
            if let zoneNode, let zone, !ZoneDatabase.isName(zone) {
                reader.error(zoneNode, "this cannot be the name of a zone", note: "such as Europe/Berlin")
            }
            let openings = list(map.required("openings"), opening)
            let cutoff = integer(map.required("cutoff_seconds"), 0...MaintenanceWindow.durations.upperBound)
            let freezes = list(map.required("freezes"), freeze)
            guard let zone, let openings, let cutoff, let freezes else { return nil }
            let window = MaintenanceWindow(zone: zone, openings: openings, cutoff: cutoff, freezes: freezes)
            if let problem = window.problem { reader.error(node, problem) }
            return window
        }
    }

    /// `start_before` of a plan's policy; nil after an error, and for null.
    func instantOrNull(_ node: Node?) -> Timestamp? {
        guard let node, !reader.isNull(node) else { return nil }
        return instant(node)
    }

    func instant(_ node: Node?) -> Timestamp? {
        guard let node, let text = string(node) else { return nil }
        guard let instant = Timestamp(utcText: text) else {
            reader.error(node, "expected a time in UTC, such as \"2026-12-01T21:00:00Z\"")
            return nil
        }
        return instant
    }

    private func opening(_ node: Node) -> OpeningRule? {
        fields(node) { map in
            if let onNode = map.optional("on") {
                let days = list(onNode) { node -> DaySelector? in
                    guard let text = string(node) else { return nil }
                    guard let day = DaySelector(text) else {
                        reader.error(
                            node, "this is no day", note: "such as \"daily\", \"tue\", \"third thu\", \"last day\"")
                        return nil
                    }
                    return day
                }
                let months = map.optional("months").map { list($0) { integer($0, 1...12) } } ?? []
                let atNode = map.required("at")
                let at = string(atNode).flatMap(CivilTime.second(ofDay:))
                if let atNode, at == nil { reader.error(atNode, "expected a time of day, such as \"22:00:00\"") }
                let duration = integer(map.required("duration_seconds"), MaintenanceWindow.durations)
                guard let days, let months, let at, let duration else { return nil }
                if zip(months, months.dropFirst()).contains(where: { $0 >= $1 }) {
                    reader.error(node, "the months do not ascend")
                }
                return .recurring(Recurrence(days: days, months: months, time: at, duration: duration))
            }
            return interval(&map, "not_before", "not_after").map(OpeningRule.once)
        }
    }

    private func freeze(_ node: Node) -> Freeze? {
        fields(node) { map in
            guard let interval = interval(&map, "from", "until") else { return nil }
            let reason = map.optional("reason").map(string)
            return Freeze(interval, reason: (reason ?? nil) ?? "")
        }
    }

    private func interval(_ map: inout MappingReader, _ first: String, _ last: String) -> FixedInterval? {
        let from = instant(map.required(first))
        let until = instant(map.required(last))
        let localNode = map.optional("local")
        let local = localNode.flatMap { list($0, localTime) }
        if let localNode, let local, local.count != 2 {
            reader.error(localNode, "expected two local times, from and until")
        }
        guard let from, let until else { return nil }
        return FixedInterval(
            from: from, until: until,
            local: local?.count == 2 ? local.map { LocalInterval(from: $0[0], until: $0[1]) } : nil)
    }

    func localTime(_ node: Node) -> CivilTime? {
        guard let text = string(node) else { return nil }
        guard let time = CivilTime(text) else {
            reader.error(node, "expected a local time, such as \"2026-12-01T22:00:00\"")
            return nil
        }
        return time
    }
}
