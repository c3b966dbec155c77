internal import Model
internal import Synchronization

/// The itinerary that a run follows, for all of its tasks. Only the order of a job's batches may change, before any of them
/// begins, and what is left behind grows.
final class SharedItinerary: Sendable {
    private let itinerary: Mutex<Itinerary>

    init(_ itinerary: Itinerary) { self.itinerary = Mutex(itinerary) }

    var current: Itinerary { itinerary.withLock { $0 } }

    func follow(_ itinerary: Itinerary) {
        self.itinerary.withLock { current in
            let left = current.leftBehind
            current = itinerary
            current.leave(left)
        }
    }

    func leave(_ allocations: some Sequence<AllocationID>) { itinerary.withLock { $0.leave(allocations) } }
}
