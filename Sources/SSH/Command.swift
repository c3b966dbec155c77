internal import CSSH2
internal import Glibc

/// One command on a session, from the request to its end; used on the reactor's thread alone.
final class Command {
    enum Stage {
        /// In the session's queue, or its channel is being opened.
        case waiting
        /// The server was asked to run it.
        case starting
        case running
        /// All output is here; the server has yet to close the channel, and to say the exit status before.
        case ending
    }

    /// What became of an attempt to go on.
    enum Progress {
        case waiting
        case moved
        case done
    }

    let request: CommandRequest
    let deadline: ContinuousClock.Instant?
    private(set) var stage = Stage.waiting
    private(set) var channel: OpaquePointer?
    private var input: [UInt8] = []
    private var inputOffset = 0
    private var inputIsSent = false
    private var output: Sink
    private var errors: Sink

    init(request: CommandRequest) {
        self.request = request
        deadline = request.limit.map { .now + $0 }
        output = Sink(request.output)
        errors = Sink(request.errors)
    }

    var phase: SSHPhase {
        switch stage {
        case .waiting, .starting: .channel
        case .running, .ending: .command
        }
    }

    func opened(_ channel: OpaquePointer) {
        self.channel = channel
        stage = .starting
    }

    /// Hands over the channel, to be closed.
    func takeChannel() -> OpaquePointer? { channel.take() }

    /// Goes on as far as possible without waiting.
    ///
    /// - Throws: ``SSHError/channel(_:reason:)`` when the command failed alone; anything else is the session's end.
    func advance(session: OpaquePointer, link: Link, scratch: UnsafeMutableRawBufferPointer) throws(SSHError)
        -> Progress
    {
        guard let channel else { return .waiting }
        switch stage {
        case .waiting:
            return .waiting
        case .starting:
            let command = request.command
            let code = libssh2_channel_process_startup(
                channel, "exec", 4, command, UInt32(command.utf8.count))
            if code == LibSSH2.again { return .waiting }
            guard code == 0 else {
                throw .channel(
                    request.endpoint, reason: "the server did not take the command: \(session.sessionErrorText)")
            }
            stage = .running
            return .moved
        case .running:
            var moved = try feed(channel, session: session, link: link)
            let fromOutput = try drain(channel, 0, &output, session: session, link: link, scratch: scratch)
            let fromErrors = try drain(
                channel, SSH_EXTENDED_DATA_STDERR, &errors, session: session, link: link, scratch: scratch)
            if let limit = request.outputLimit, output.count + errors.count > limit {
                throw .channel(
                    request.endpoint,
                    reason: "the server sends more than the \(limit) bytes of output that the command may have")
            }
            moved = moved || fromOutput || fromErrors
            if libssh2_channel_eof(channel) == 1 {
                stage = .ending
                return .moved
            }
            return moved ? .moved : .waiting
        case .ending:
            // This only waits for the server's close; a close of ours could cut off the exit status.
            let code = libssh2_channel_wait_closed(channel)
            if code == LibSSH2.again { return .waiting }
            guard code == 0 else { throw .connectionLost(request.endpoint, reason: session.sessionErrorText) }
            request.finish(
                .success(
                    SSHExecution(
                        outcome: outcome(of: channel, session: session), standardOutput: output.stream,
                        standardError: errors.stream)))
            return .done
        }
    }

    private func feed(_ channel: OpaquePointer, session: OpaquePointer, link: Link) throws(SSHError) -> Bool {
        var moved = false
        while !inputIsSent {
            if inputOffset == input.count {
                switch request.input?.take() ?? .end {
                case .nothingYet: return moved
                case .bytes(let bytes): (input, inputOffset) = (bytes, 0)
                case .end:
                    let code = libssh2_channel_send_eof(channel)
                    if code == LibSSH2.again { return moved }
                    inputIsSent = true
                    input = []
                    return true
                }
            }
            guard link.outbound.count < Link.outboundLimit else { return moved }
            let count = input.withUnsafeBytes { bytes in
                libssh2_channel_write_ex(
                    channel, 0, bytes.baseAddress?.advanced(by: inputOffset).assumingMemoryBound(to: CChar.self),
                    bytes.count - inputOffset)
            }
            // 0 and EAGAIN: the server's window is full.
            if count == 0 || count == Int(LibSSH2.again) { return moved }
            guard count > 0 else {
                // The command closed its input, or the channel is closed: the rest of the input has no reader.
                inputIsSent = true
                input = []
                request.input?.close()
                return true
            }
            inputOffset += count
            moved = true
        }
        return moved
    }

    private func drain(
        _ channel: OpaquePointer, _ stream: Int32, _ sink: inout Sink, session: OpaquePointer, link: Link,
        scratch: UnsafeMutableRawBufferPointer
    ) throws(SSHError) -> Bool {
        var moved = false
        while sink.hasRoom {
            let count = libssh2_channel_read_ex(
                channel, stream, scratch.assumingMemoryBound(to: CChar.self).baseAddress, scratch.count)
            if count == 0 || count == Int(LibSSH2.again) { return moved }
            guard count > 0 else { throw .connectionLost(request.endpoint, reason: session.sessionErrorText) }
            link.allowance.use(count)
            sink.take(UnsafeRawBufferPointer(rebasing: scratch[..<count]))
            moved = true
        }
        return moved
    }

    private func outcome(of channel: OpaquePointer, session: OpaquePointer) -> SSHExecution.Outcome {
        // The signal first: after one, the status reads 0.
        var name: UnsafeMutablePointer<CChar>?
        var nameLength = 0
        libssh2_channel_get_exit_signal(channel, &name, &nameLength, nil, nil, nil, nil)
        defer { if let name { libssh2_free(session, name) } }
        guard let name, nameLength > 0 else { return .exited(libssh2_channel_get_exit_status(channel)) }
        // Signals have short names in capitals (RFC 4254, 6.10); a server may say anything.
        let bytes = UnsafeRawBufferPointer(start: name, count: strnlen(name, 20))
        let isName = bytes.allSatisfy {
            UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0
        }
        return .signalled(isName && !bytes.isEmpty ? String(decoding: bytes, as: UTF8.self) : "?")
    }
}

/// Takes up one stream: keeps its end, or passes it on.
private struct Sink {
    private let destination: CommandRequest.Output
    private var end: TailBuffer
    private(set) var count = 0

    init(_ destination: CommandRequest.Output) {
        self.destination = destination
        end = TailBuffer(limit: destination.tailLimit)
    }

    /// Whether reading may go on.
    var hasRoom: Bool { destination.pipe?.hasRoom ?? true }

    mutating func take(_ bytes: UnsafeRawBufferPointer) {
        count += bytes.count
        switch destination {
        case .pipe(let pipe):
            _ = pipe.offer(bytes)
        case .tail: end.append(bytes)
        }
    }

    var stream: SSHExecution.Stream { .init(tail: end.bytes, count: count) }
}
