public import Model

/// What the catalog said of an allocation when the plan was made, and must still say when its batch starts.
public struct FromState: Hashable, Sendable {
    /// The version that last ran there; `0.0.0` where none did.
    public var version: String
    /// The promoted tree; nil where nothing was ever promoted.
    public var content: Digest?
    /// The tree that was begun there and neither promoted nor stopped.
    public var unfinished: Digest?
    /// Stopped because it was disabled.
    public var stopped: Bool
    /// Stopped by a person.
    public var stoppedByHand: Bool
    /// What is unfinished there is a target by itself: the files are those that were promoted, and whether anything runs is
    /// not known.
    public var isInterrupted: Bool

    public init(
        version: String, content: Digest?, unfinished: Digest? = nil, stopped: Bool = false,
        stoppedByHand: Bool = false,
        isInterrupted: Bool = false
    ) {
        self.version = version
        self.content = content
        self.unfinished = unfinished
        self.stopped = stopped
        self.stoppedByHand = stoppedByHand
        self.isInterrupted = isInterrupted
    }
}

extension FromState: Record, FieldValue {
    static let title = "from"
    static let meaning = "What the catalog recorded of an allocation. It must still be so before its batch starts."
    static let blank = FromState(version: "", content: nil)

    mutating func visit(_ fields: inout some Fields) {
        fields.required(
            "version", &version, .text(.version), "the version that ran there last; `0.0.0` if none did")
        fields.required(
            "content", &content, .or("none", ParsedType()), "the digest of the promoted files, or `none`")
        fields.optional(
            "unfinished", &unfinished, "the digest of files that were started there and neither promoted nor stopped")
        fields.flag("stopped", &stopped, "the allocation was stopped because it was disabled")
        fields.flag("stopped_by_hand", &stoppedByHand, "a person has stopped the allocation")
        fields.flag(
            "interrupted", &isInterrupted,
            "a restart, start, stop or reboot of the allocation has not ended: its files are those that were promoted")
    }
}
