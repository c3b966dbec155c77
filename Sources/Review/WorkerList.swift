public import Model

/// Names workers in as little room as their number needs: few one by one, many as ranges and counts.
public enum WorkerList {
    /// All of them, for one line of a terminal.
    public static func text(_ workers: [WorkerName]) -> String { whole(workers).terminal }

    /// All of them, if no other place names them.
    static func whole(_ workers: [WorkerName]) -> Phrase {
        let list = HostList(workers)
        return list.isLong
            ? list.full.map { "\($0)" as Phrase }.list() + " (\(workers.count))" : Phrase(list)
    }

    /// As many as people read in a sentence; a review lists the others of long lists at its end.
    ///
    /// - Parameter workers: in the order in which they act.
    static func phrase(_ workers: [WorkerName]) -> Phrase { Phrase(HostList(workers)) }
}
