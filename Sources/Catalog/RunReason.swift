/// Why a run is in its state or what it stands for, for programs; people read its detail. Without one, the state says all.
public enum RunReason: String, Sendable, CaseIterable {
    /// The facts of its plan did not hold any more.
    case stale
    /// It stands for a refresh of the catalog.
    case refresh
    /// It stands for a refresh that was interrupted.
    case refreshInterrupted = "refresh_interrupted"
    /// It stands for what was taken over from Maand.
    case adoption
    case paused
    case signal
    /// Every wave that was asked for is complete.
    case limitReached = "limit_reached"
    case windowClosed = "window_closed"
    /// What comes next does not fit into the rest of the opening.
    case windowTooShort = "window_too_short"
    case frozen
    case freezesUnreadable = "freezes_unreadable"
    case approvalLapsed = "approval_lapsed"
    case workersNotReady = "workers_not_ready"
    /// A Makefile has no target that the plan runs.
    case missingTarget = "missing_target"
    /// Nothing of it had begun when another plan was applied.
    case superseded
    /// What it had begun is again as it was before.
    case rolledBack = "rolled_back"
    /// Workers of its way back could not be used.
    case wayBackIncomplete = "way_back_incomplete"
}
