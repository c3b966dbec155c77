internal import Catalog
internal import Model

/// Semaphores of one run, each shared by the hooks of one job and event. Who holds one is on disk before the hook hears of
/// it, so that a process which continues a run knows what hooks hold that lived on.
actor Semaphores {
    private struct Semaphore {
        var capacity: Int
        var holders: [WorkerName: SemaphoreSlot] = [:]
        var waiting: [Waiter] = []
    }

    private struct Waiter {
        var id: Int
        var slot: SemaphoreSlot
        var granted: CheckedContinuation<Bool, Never>
    }

    enum Problem: Error {
        case otherCapacity(Int)
        case notHeld
        /// Not within the time that the hook gave.
        case timedOut
    }

    struct Status: Sendable {
        var capacity: Int
        var holders: [WorkerName]
        var waiting: Int
    }

    /// Capacities that a hook may ask for.
    static let capacities = 1...64
    /// Seconds that a hook waits where it does not say, and at most.
    static let defaultTimeout = 600
    static let maximumTimeout = 3600

    private let catalog: Catalog
    private var semaphores: [String: Semaphore] = [:]
    private var nextID = 0

    init(catalog: Catalog, held: [SemaphoreSlot]) {
        self.catalog = catalog
        for slot in held {
            semaphores[slot.scope, default: Semaphore(capacity: slot.capacity)].holders[slot.holder] = slot
        }
    }

    /// Waits until the holder has a slot. One that has it already goes on at once.
    ///
    /// - Parameter isRecorded: whether the attempt is a recorded one. What belongs to no recorded attempt does not outlive
    ///   this process.
    func acquire(_ slot: SemaphoreSlot, within timeout: Duration, isRecorded: Bool) async throws {
        let capacity = semaphores[slot.scope]?.capacity ?? slot.capacity
        guard capacity == slot.capacity else { throw Problem.otherCapacity(capacity) }
        if semaphores[slot.scope]?.holders[slot.holder] != nil { return }
        guard await granted(slot, within: timeout) else { throw Problem.timedOut }
        guard isRecorded else { return }
        do {
            try await catalog.hold(slot)
        } catch {
            free(slot.scope, slot.holder)
            throw error
        }
    }

    func release(_ slot: SemaphoreSlot) async throws {
        guard let held = semaphores[slot.scope]?.holders[slot.holder] else { throw Problem.notHeld }
        try await catalog.release(held)
        free(slot.scope, slot.holder)
    }

    /// An attempt that has ended holds nothing and waits for nothing; the catalog knows that already.
    func ended(_ attempt: WritingAttempt) {
        for (scope, semaphore) in semaphores {
            for (holder, slot) in semaphore.holders where slot.attempt == attempt { free(scope, holder) }
            for waiter in semaphore.waiting where waiter.slot.attempt == attempt { giveUp(scope, waiter.id) }
        }
    }

    func status(_ scope: String) -> Status? {
        semaphores[scope].map {
            Status(capacity: $0.capacity, holders: $0.holders.keys.sorted(), waiting: $0.waiting.count)
        }
    }

    private func granted(_ slot: SemaphoreSlot, within timeout: Duration) async -> Bool {
        let id = nextID
        nextID += 1
        let limit = Task {
            try? await Task.sleep(for: timeout)
            giveUp(slot.scope, id)
        }
        defer { limit.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { granted in
                semaphores[slot.scope, default: Semaphore(capacity: slot.capacity)].waiting.append(
                    Waiter(id: id, slot: slot, granted: granted))
                grant(slot.scope)
                if Task.isCancelled { giveUp(slot.scope, id) }
            }
        } onCancel: {
            Task { await giveUp(slot.scope, id) }
        }
    }

    private func giveUp(_ scope: String, _ id: Int) {
        guard let index = semaphores[scope]?.waiting.firstIndex(where: { $0.id == id }) else { return }
        semaphores[scope]?.waiting.remove(at: index).granted.resume(returning: false)
        forgetIfUnused(scope)
    }

    private func free(_ scope: String, _ holder: WorkerName) {
        semaphores[scope]?.holders[holder] = nil
        grant(scope)
        forgetIfUnused(scope)
    }

    /// First come, first served.
    private func grant(_ scope: String) {
        while var semaphore = semaphores[scope], semaphore.holders.count < semaphore.capacity,
            !semaphore.waiting.isEmpty
        {
            let next = semaphore.waiting.removeFirst()
            semaphore.holders[next.slot.holder] = next.slot
            semaphores[scope] = semaphore
            next.granted.resume(returning: true)
        }
    }

    /// The next hook may give another capacity.
    private func forgetIfUnused(_ scope: String) {
        if let semaphore = semaphores[scope], semaphore.holders.isEmpty, semaphore.waiting.isEmpty {
            semaphores[scope] = nil
        }
    }
}
