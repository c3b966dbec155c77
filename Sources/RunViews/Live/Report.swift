/// One line of what has happened, for the scrollback of a terminal or for a log.
public struct Report: Equatable, Sendable {
    /// What the line is about. It begins with this word.
    public enum Kind: Sendable {
        /// A step begins or ends.
        case step
        /// An allocation, or a worker as a whole, has come to its end.
        case allocation
        /// A hook has ended.
        case hook
        case batch, gate, job
        /// Something has failed, is unreachable or unknown.
        case failure
        /// The run goes on without something, is held, parks, goes back.
        case notice
        case warning
    }

    public var kind: Kind
    public var line: StyledLine

    init(_ kind: Kind, _ line: StyledLine) {
        self.kind = kind
        self.line = line
    }

    init(_ kind: Kind, _ head: String, _ text: String, _ tone: StyledLine.Tone) {
        self.init(kind, StyledLine(head, tone) + StyledLine(" " + text))
    }
}

/// How much is told.
public enum Verbosity: Sendable {
    /// Failures and the end.
    case quiet
    /// What ends.
    case normal
    /// Each step too.
    case verbose

    /// - Parameter isLive: on a terminal that shows below what every worker does. There, what is well is told by the batch.
    public func shows(_ kind: Report.Kind, isLive: Bool) -> Bool {
        switch (self, kind) {
        case (_, .failure), (_, .notice): true
        case (.quiet, _): false
        case (.normal, .step): false
        case (.normal, .allocation), (.normal, .hook): !isLive
        case (.normal, _), (.verbose, _): true
        }
    }
}
