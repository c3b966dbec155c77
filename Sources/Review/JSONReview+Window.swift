internal import Plans
internal import Windows

extension MaintenanceWindow {
    /// For programs.
    static var table: OutputTable<MaintenanceWindow> {
        OutputTable("window", "When the plan may run.") { fields in
            fields.required("zone", .text, "The IANA name of the time zone of all local times.", \.zone)
            fields.required("openings", .list(of: opening), "The window is open while at least one of these is open.") {
                $0.openings
            }
            fields.required(
                "cutoff_seconds", .count, "All work must end this long before the end of an opening.", \.cutoff)
            fields.required("freezes", .list(of: .object(freeze)), "Nothing starts in them.", \.freezes)
        }
    }

    private static var opening: OutputType<OpeningRule> {
        let fixed = OutputTable<FixedInterval>("fixed_opening", "A time in which the run may start batches.") {
            fields in
            add("not_before", "not_after", to: &fields)
        }
        let recurring = recurring
        return OutputType(.either([.object(recurring.description), .object(fixed.description)])) { opening in
            switch opening {
            case .once(let interval): fixed.json(interval)
            case .recurring(let recurrence): recurring.json(recurrence)
            }
        }
    }

    private static var recurring: OutputTable<Recurrence> {
        OutputTable("repeated_opening", "A repeated time in which the run may start batches.") { fields in
            fields.required("on", .list(of: .day), "Days.", \.days)
            fields.required("months", .list(of: .integer(1...12)), "Numbers of the months; empty means all.", \.months)
            fields.required("at", .text, "The local time of day, such as `22:00:00`.") {
                CivilTime.text(ofDay: $0.time)
            }
            fields.required("duration_seconds", .count, "The length in elapsed seconds.", \.duration)
        }
    }

    private static var freeze: OutputTable<Freeze> {
        OutputTable("freeze", "A time in which nothing starts.") { fields in
            let interval = OutputTable<FixedInterval>("", "") { add("from", "until", to: &$0) }
            fields.include(interval, of: \.interval)
            fields.required("reason", .text, "For people.", \.reason)
        }
    }

    private static func add(_ first: String, _ last: String, to fields: inout OutputTable<FixedInterval>) {
        fields.required(first, .instant, "The start; it is included.", \.from)
        fields.required(last, .instant, "The end; it is not included.", \.until)
        fields.nullable(
            "local", .list(of: .localTime, least: 2), "The two as local times of the window's zone."
        ) { $0.local.map { [$0.from, $0.until] } }
    }
}
