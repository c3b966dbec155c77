internal import NIOCore
internal import Synchronization

/// Connections at one listener that have not shown a hook's token: so many and no more. A further one takes the place of the
/// oldest, so that a process which opens many and says nothing keeps nobody out.
final class HookGuests: Sendable {
    private struct Guest {
        let number: Int
        let channel: any Channel
        /// It has named a hook that runs; only the hook and its server know that name.
        var hasNamedHook = false
    }

    private struct State {
        var guests: [Guest] = []
        var next = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    /// Counts a connection, and closes another one where there are too many.
    ///
    /// - Returns: what the connection is called here.
    func enter(_ channel: any Channel) -> Int {
        let (number, leaving) = state.withLock { state -> (Int, (any Channel)?) in
            let number = state.next
            state.next += 1
            var leaving: Guest?
            if state.guests.count >= limit {
                leaving = state.guests.remove(at: state.guests.firstIndex { !$0.hasNamedHook } ?? 0)
            }
            state.guests.append(Guest(number: number, channel: channel))
            return (number, leaving?.channel)
        }
        leaving?.close(promise: nil)
        return number
    }

    /// The connection goes after those that have named no hook.
    func namedHook(_ number: Int) {
        state.withLock { state in
            guard let index = state.guests.firstIndex(where: { $0.number == number }) else { return }
            state.guests[index].hasNamedHook = true
        }
    }

    /// The connection has ended, or has shown a token.
    func leave(_ number: Int) { state.withLock { state in state.guests.removeAll { $0.number == number } } }
}
