internal import Synchronization

/// The way back to one waiting task. The first of result, deadline and cancellation answers; later ones find nobody.
final class Answer<Value: Sendable>: Sendable {
    private enum State {
        case waiting(CheckedContinuation<Result<Value, SSHError>, Never>?)
        case answered(Result<Value, SSHError>)
        case done
    }

    private let state = Mutex(State.waiting(nil))

    /// Waits for the answer; called once.
    func wait() async -> Result<Value, SSHError> {
        await withCheckedContinuation { continuation in
            let early = state.withLock { state -> Result<Value, SSHError>? in
                guard case .answered(let result) = state else {
                    state = .waiting(continuation)
                    return nil
                }
                state = .done
                return result
            }
            if let early { continuation.resume(returning: early) }
        }
    }

    /// Answers, if nobody has before; whether this was the answer.
    @discardableResult
    func give(_ result: Result<Value, SSHError>) -> Bool {
        let (continuation, isFirst) = state.withLock {
            state -> (CheckedContinuation<Result<Value, SSHError>, Never>?, Bool) in
            switch state {
            case .waiting(let continuation?):
                state = .done
                return (continuation, true)
            case .waiting(nil):
                state = .answered(result)
                return (nil, true)
            case .answered, .done:
                return (nil, false)
            }
        }
        continuation?.resume(returning: result)
        return isFirst
    }

    /// Whether somebody has answered already.
    var isGiven: Bool {
        state.withLock { state in
            switch state {
            case .waiting: false
            case .answered, .done: true
            }
        }
    }
}
