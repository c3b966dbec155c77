extension MaintenanceWindow {
    /// What keeps the value from being a window, for people; nil where it is one.
    package var problem: String? {
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
}
