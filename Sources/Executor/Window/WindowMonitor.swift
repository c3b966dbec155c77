package import Catalog
public import Model
internal import Plans
internal import Synchronization
package import ThisHost
package import Windows

/// Why a run is held, and when it may go on.
public struct WindowHold: Error, Equatable, Sendable {
    /// What is in the way.
    public enum Cause: Sendable {
        case closed
        /// What comes next does not fit into what is left of the opening.
        case tooShort
        case frozen
        case freezesUnreadable
        /// Approvals have lapsed; no opening helps.
        case unapproved

        /// For the catalog.
        package var reason: RunReason {
            switch self {
            case .closed: .windowClosed
            case .tooShort: .windowTooShort
            case .frozen: .frozen
            case .freezesUnreadable: .freezesUnreadable
            case .unapproved: .approvalLapsed
            }
        }
    }

    public var cause: Cause
    /// What is in the way, as a sentence without an end.
    public var reason: String
    /// When the next opening begins; nil where none follows.
    public var next: Timestamp?
    /// The same for people: in local time and UTC.
    public var nextText: String?
    /// Jobs of which some hosts run the new version and some do not.
    public var mixed: [String] = []

    /// A freeze is in the way, and not the window.
    package var isFrozen: Bool { cause == .frozen }
    /// Approvals have lapsed; no opening helps.
    public var isUnapproved: Bool { cause == .unapproved }
}

extension WindowHold: CustomStringConvertible {
    public var description: String {
        var text = reason + "."
        if isUnapproved {
            text += " Approve it again and run the same command, or abandon the run."
        } else if let nextText {
            text += " Next opening: \(nextText). Run the same command then, or now with --wait."
        } else {
            text +=
                " No opening follows as things are. \(isFrozen ? "Take the freeze out, or abandon" : "Abandon") what is "
                + "unfinished and plan again."
        }
        return ([text] + mixed.map { "  " + $0 }).joined(separator: "\n")
    }
}

/// Watches the clocks and the calendar during a run, and says what may still begin. Safe from any task.
package final class WindowMonitor: Sendable {
    private let window: MaintenanceWindow?
    private let rules: ZoneRules
    private let freezes: @Sendable () throws -> [Freeze]
    private let clock: Clock
    private let approvals: ApprovalWatch?
    private let observe: @Sendable (RunEvent) -> Void
    private let state: Mutex<State>

    private struct State {
        /// Both clocks at the beginning; from then on they have to agree.
        let wall: Timestamp
        let uptime: Uptime
        var toldDrift: Int64 = 0
        var toldSleep: Int64 = 0
        var hold: WindowHold?
        /// The cutoff of what has been admitted, until it was told that it has passed.
        var cutoff: Timestamp?
    }

    /// Disagreement of the clocks from which on it is no drift, in milliseconds.
    private static let tolerance: Int64 = 2000

    /// - Parameters:
    ///   - freezes: the bucket's own, as they are now; asked again before each batch.
    ///   - approvals: says when they lapse; nil where none are needed.
    package init(
        _ window: MaintenanceWindow?, rules: ZoneRules, freezes: @escaping @Sendable () throws -> [Freeze],
        clock: Clock, approvals: ApprovalWatch? = nil,
        observe: @escaping @Sendable (RunEvent) -> Void
    ) {
        self.window = window
        self.rules = rules
        self.freezes = freezes
        self.clock = clock
        self.approvals = approvals
        self.observe = observe
        state = Mutex(State(wall: clock.now(), uptime: clock.uptime()))
    }

    /// What the run was held for first.
    package var hold: WindowHold? { state.withLock { $0.hold } }

    /// The window less all freezes as they are now.
    package func calendar() throws -> WindowCalendar { WindowCalendar(window, rules: rules, freezes: try freezes()) }

    /// - Returns: nil where something of this duration (milliseconds) may begin, else why not.
    package func check(_ duration: Int64) throws -> (opening: WindowCalendar.Opening?, hold: WindowHold?) {
        let calendar = try calendar()
        if calendar.isAlwaysOpen { return (nil, nil) }
        let times = times()
        switch WindowGuard.verdict(calendar, at: times, duration: duration) {
        case .begin(let opening): return (opening, nil)
        case .closed(let next):
            let frozen = times.lazy.compactMap(calendar.freeze).first
            let reason =
                if let frozen {
                    "a freeze holds everything" + (frozen.reason.isEmpty ? "" : " (\(frozen.reason))")
                } else {
                    "the maintenance window is closed"
                }
            return (nil, hold(frozen == nil ? .closed : .frozen, reason, next))
        case .tooLong(let opening, let next):
            let end = opening.endsInFreeze ? "the freeze begins" : "the window ends"
            let reason =
                "what comes next is expected to take \(Estimate(duration: duration).seconds) s, and everything has to "
                + "have ended at \(rules.text(opening.cutoff)) (\(opening.cutoff.utcText)), before \(end)"
            return (opening, hold(.tooShort, reason, next))
        }
    }

    /// Whether neither a window nor a freeze restricts anything, as far as can be found out.
    var isUnrestricted: Bool { (try? calendar())?.isAlwaysOpen == true }

    /// Whether the plan is still approved; where not, the run is held before this batch.
    func isApproved(_ batch: String) async -> Bool {
        guard let lapse = await approvals?.lapse(at: clock.now()) else { return true }
        keep(WindowHold(cause: .unapproved, reason: lapse), before: batch)
        return false
    }

    /// The run is held, for the first reason there was; tells that one.
    ///
    /// - Parameter batch: what does not begin; nil for anything.
    private func keep(_ hold: WindowHold, before batch: String?) {
        let isFirst = state.withLock { state in
            defer { state.hold = state.hold ?? hold }
            return state.hold == nil
        }
        if isFirst { observe(.held(batch: batch, hold)) }
    }

    /// Decides about one batch, and tells what was decided.
    func admit(_ batch: String, _ estimate: Estimate) -> Bool {
        do {
            let (opening, hold) = try check(estimate.duration)
            if let hold {
                keep(hold, before: batch)
                return false
            }
            guard let opening, opening.until < .distantFuture else { return true }
            state.withLock { $0.cutoff = opening.cutoff }
            let end = Timestamp(milliseconds: clock.now().milliseconds + estimate.duration)
            observe(
                .admitted(
                    batch: batch, seconds: estimate.seconds, isRecorded: estimate.isRecorded, end: end,
                    cutoff: opening.cutoff))
            return true
        } catch {
            let hold = WindowHold(cause: .freezesUnreadable, reason: "what is frozen cannot be found out: \(error)")
            state.withLock { $0.hold = $0.hold ?? hold }
            observe(.held(batch: batch, hold))
            return false
        }
    }

    /// How long an opening still holds; nil where nothing restricts. Zero where none holds.
    func remaining() -> Duration? {
        guard let calendar = try? calendar() else { return .zero }
        if calendar.isAlwaysOpen { return nil }
        let rest = times().map { now in (calendar.opening(at: now)?.until.milliseconds ?? 0) - now.milliseconds }
        return .milliseconds(max(0, rest.min() ?? 0))
    }

    /// Whether anything may be sent to a worker now; where not, the run is held.
    ///
    /// - Parameter margin: what has to be left of the opening beyond this moment.
    func isOpen(margin: Duration = .zero) -> Bool {
        guard let rest = remaining(), rest <= margin else { return true }
        let hold = rest == .zero ? try? check(0).hold : nearEnd()
        keep(hold ?? WindowHold(cause: .freezesUnreadable, reason: "what is frozen cannot be found out"), before: nil)
        return false
    }

    /// What to say in the last seconds of an opening, in which workers, whose clocks count whole seconds, begin nothing.
    private func nearEnd() -> WindowHold? {
        guard let calendar = try? calendar() else { return nil }
        let openings = calendar.openings(from: clock.now(), limit: 2)
        guard let opening = openings.first else { return nil }
        return hold(
            .tooShort,
            "\(opening.endsInFreeze ? "a freeze begins" : "the window ends") at \(rules.text(opening.until)) "
                + "(\(opening.until.utcText)), too soon for a worker to begin anything",
            openings.dropFirst().first)
    }

    /// Tells once when something ended after the cutoff that it was to end before.
    func noteEnd(of step: Step) {
        let now = clock.now()
        let late = state.withLock { state -> Timestamp? in
            guard let cutoff = state.cutoff, now > cutoff else { return nil }
            state.cutoff = nil
            return cutoff
        }
        guard let late else { return }
        observe(
            .warning(
                .lateEnd(step.id, seconds: (now.milliseconds - late.milliseconds + 999) / 1000, cutoff: late)))
    }

    /// What it may be now: by the wall clock, and by the wall clock at the beginning and the time since, which a changed
    /// wall clock does not move and a suspended machine does.
    private func times() -> [Timestamp] {
        let wall = clock.now()
        let uptime = clock.uptime()
        let (steady, drift, slept) = state.withLock { state -> (Timestamp, Int64?, Int64?) in
            let passed = uptime.total - state.uptime.total
            let steady = Timestamp(milliseconds: state.wall.milliseconds + passed)
            let drift = wall.milliseconds - steady.milliseconds
            let slept = passed - (uptime.awake - state.uptime.awake)
            let newDrift = abs(drift - state.toldDrift) > Self.tolerance ? drift - state.toldDrift : nil
            let newSleep = slept - state.toldSleep > Self.tolerance ? slept - state.toldSleep : nil
            if newDrift != nil { state.toldDrift = drift }
            if newSleep != nil { state.toldSleep = slept }
            return (steady, newDrift, newSleep)
        }
        if let drift { observe(.warning(.clockSet(seconds: drift / 1000))) }
        if let slept { observe(.warning(.suspended(seconds: slept / 1000))) }
        return abs(wall.milliseconds - steady.milliseconds) > Self.tolerance ? [wall, steady] : [wall]
    }

    private func hold(
        _ cause: WindowHold.Cause, _ reason: String, _ next: WindowCalendar.Opening?
    ) -> WindowHold {
        WindowHold(
            cause: cause, reason: reason, next: next?.from,
            nextText: next.map { "\(rules.text($0.from)) (\($0.from.utcText))" })
    }
}
