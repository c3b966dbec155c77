internal import Synchronization

/// A bounded pipe of bytes between one task and the reactor's thread: the task's side waits, the reactor's side never does.
final class BytePipe: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var isEnded = false
        var isClosed = false
        var reader: CheckedContinuation<[UInt8]?, Never>?
        var writer: CheckedContinuation<Bool, Never>?
    }

    enum Taken {
        case bytes([UInt8])
        case nothingYet
        case end
    }

    private let state: Mutex<State>
    /// The number of waiting bytes from which on the writing side has to wait.
    private let limit = 256 << 10

    init() { state = Mutex(State()) }

    /// A pipe that holds these bytes and its end.
    init(_ bytes: [UInt8]) { state = Mutex(State(bytes: bytes, isEnded: true)) }

    // MARK: The reactor's side

    /// Adds bytes; false when the pipe is full now and the writer should pause.
    func offer(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let (reader, chunk, hasRoom) = state.withLock { state in
            guard !state.isClosed else { return (nil as CheckedContinuation<[UInt8]?, Never>?, [UInt8](), true) }
            if let reader = state.reader.take() { return (reader, Array(bytes), true) }
            state.bytes.append(contentsOf: bytes)
            return (nil, [], state.bytes.count < limit)
        }
        reader?.resume(returning: chunk)
        return hasRoom
    }

    /// Whether `offer` may go on after it said no.
    var hasRoom: Bool { state.withLock { $0.isClosed || $0.bytes.count < limit } }

    /// Takes everything that waits.
    func take() -> Taken {
        let (taken, writer) = state.withLock { state -> (Taken, CheckedContinuation<Bool, Never>?) in
            guard !state.bytes.isEmpty else { return (state.isEnded || state.isClosed ? .end : .nothingYet, nil) }
            defer { state.bytes = [] }
            return (.bytes(state.bytes), state.writer.take())
        }
        writer?.resume(returning: true)
        return taken
    }

    // MARK: The task's side

    /// Waits for bytes; nil when the pipe has ended and everything was read, or was closed. Calls `notify` where a full
    /// pipe has room again.
    func read(notify: () -> Void) async -> [UInt8]? {
        await withCheckedContinuation { continuation in
            let result = state.withLock { state -> [UInt8]?? in
                if !state.bytes.isEmpty {
                    defer { state.bytes = [] }
                    return .some(state.bytes)
                }
                if state.isEnded || state.isClosed { return .some(nil) }
                state.reader = continuation
                return nil
            }
            guard let result else { return }
            if let result, result.count >= limit { notify() }
            continuation.resume(returning: result)
        }
    }

    /// Adds bytes and calls `notify`; then waits while the pipe is full. False when nobody will read any more.
    func write(_ bytes: [UInt8], notify: () -> Void) async -> Bool {
        await withCheckedContinuation { continuation in
            let result = state.withLock { state -> Bool? in
                guard !state.isClosed else { return false }
                state.bytes.append(contentsOf: bytes)
                guard state.bytes.count >= limit else { return true }
                state.writer = continuation
                return nil
            }
            notify()
            if let result { continuation.resume(returning: result) }
        }
    }

    // MARK: Both sides

    /// No more bytes will be written; those that wait are still read.
    func end() { finish { $0.isEnded = true } }

    /// Nobody reads or writes any more; what waits is dropped.
    func close() {
        finish { state in
            state.isClosed = true
            state.bytes = []
        }
    }

    private func finish(_ change: (inout State) -> Void) {
        let (reader, writer) = state.withLock { state in
            change(&state)
            return (state.reader.take(), state.isClosed ? state.writer.take() : nil)
        }
        reader?.resume(returning: nil)
        writer?.resume(returning: false)
    }
}
