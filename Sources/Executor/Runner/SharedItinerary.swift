internal import Model
internal import Synchronization

/// The itinerary that a run follows, for all of its tasks: only the order of a job's batches may change, before any of
/// them begins.
final class SharedItinerary: Sendable {
    private let itinerary: Mutex<Itinerary>

    init(_ itinerary: Itinerary) { self.itinerary = Mutex(itinerary) }

    var current: Itinerary { itinerary.withLock { $0 } }

    func follow(_ itinerary: Itinerary) { self.itinerary.withLock { $0 = itinerary } }
}
