internal import CSSH2
internal import Glibc
internal import Synchronization

/// Messages for the reactor's thread, and the eventfd that wakes it.
final class Mailbox: Sendable {
    private struct State {
        var messages: [Message] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    /// Readable while messages wait. Lives as long as the mailbox, which the thread holds while it runs.
    let descriptor: Int32

    init() throws(SSHReactorFailure) {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard descriptor >= 0 else { throw SSHReactorFailure(reason: "eventfd: \(systemMessage(errno))") }
    }

    deinit { Glibc.close(descriptor) }

    /// Adds a message; false when the thread has ended or will end without reading it.
    @discardableResult
    func post(_ message: Message) -> Bool {
        let (isTaken, isFirst) = state.withLock { state in
            guard !state.isClosed else { return (false, false) }
            state.messages.append(message)
            return (true, state.messages.count == 1)
        }
        // The thread is woken once for a batch. Nothing but EAGAIN can happen here, and then it is awake anyway.
        if isFirst { eventfd_write(descriptor, 1) }
        return isTaken
    }

    /// Takes all messages; called when `descriptor` is readable.
    func takeAll() -> [Message] {
        var ignored: eventfd_t = 0
        eventfd_read(descriptor, &ignored)
        return state.withLock { state in
            defer { state.messages = [] }
            return state.messages
        }
    }

    /// Refuses further messages and returns those that nobody has read.
    func close() -> [Message] {
        state.withLock { state in
            state.isClosed = true
            defer { state.messages = [] }
            return state.messages
        }
    }
}
