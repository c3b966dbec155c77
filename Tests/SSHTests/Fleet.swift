import FleetScript
import Foundation
import SSH
import Testing

/// The servers of one test, from `Tests/fleet/fleet`; they end with ``down()``.
final class Fleet: Sendable {
    private let script: FleetScript

    var directory: String { script.directory }
    var port: UInt16 { script.port }

    /// Starts servers 1...count; `PORT` in a line of configuration stands for their port.
    init(_ count: Int = 1, configuration: [String] = []) async throws {
        script = try FleetScript()
        let lines = configuration.map { [script] in $0.replacing("PORT", with: "\(script.port)") }
        try await run(["up", "\(count)"] + lines)
    }

    /// Runs a test with a fleet, and ends it whatever happens.
    static func with<Result>(
        _ count: Int = 1, configuration: [String] = [], _ body: (Fleet) async throws -> Result
    ) async throws -> Result {
        let fleet = try await Fleet(count, configuration: configuration)
        let result: Swift.Result<Result, any Error>
        do { result = .success(try await body(fleet)) } catch { result = .failure(error) }
        try await fleet.run(["down"])
        return try result.get()
    }

    /// One of the script's commands; its output.
    @discardableResult
    func run(_ arguments: [String]) async throws -> String {
        try await shell(script.command(arguments))
    }

    func endpoint(_ index: Int = 1) -> SSHEndpoint {
        SSHEndpoint(host: "127.0.1.\(index)", port: port, user: NSUserName())
    }

    func key(_ name: String = "id_ed25519") -> String { "\(directory)/\(name)" }

    func knownHosts() throws -> KnownHosts { try KnownHosts(paths: ["\(directory)/known_hosts"]) }

    /// Logins and commands that the servers have logged.
    func counts() async throws -> (logins: Int, commands: Int) {
        let numbers = try await run(["counts"]).split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        return (numbers[0], numbers[1])
    }

    /// Connects to a server with the fleet's key.
    func connect(
        _ index: Int = 1, on reactor: SSHReactor, timeout: Duration = .seconds(180), through jump: SSHConnection? = nil
    ) async throws -> SSHConnection {
        try await SSHConnection.connect(
            to: endpoint(index), credentials: [.key(SSHPrivateKey.load(path: key()))], hostKeys: .known(knownHosts()),
            timeout: timeout, through: jump, on: reactor)
    }
}

/// Runs a program and returns its standard output; a failure carries what it said on standard error.
@discardableResult
func shell(_ arguments: [String], environment: [String: String] = [:]) async throws -> String {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global().async {
            continuation.resume(
                with: Result {
                    let process = Process()
                    process.executableURL = URL(filePath: "/usr/bin/env")
                    process.arguments = arguments
                    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
                    let (output, errors) = (Pipe(), Pipe())
                    (process.standardInput, process.standardOutput) = (FileHandle.nullDevice, output)
                    process.standardError = errors
                    try process.runWithoutBlockedSignals()
                    let text = output.fileHandleForReading.readDataToEndOfFile()
                    let complaint = errors.fileHandleForReading.readDataToEndOfFile()
                    process.waitUntilExit()
                    guard process.terminationStatus == 0 else {
                        throw ShellFailure(
                            description: "\(arguments): \(process.terminationStatus): "
                                + String(decoding: complaint, as: UTF8.self))
                    }
                    return String(decoding: text, as: UTF8.self)
                })
        }
    }
}

struct ShellFailure: Error, CustomStringConvertible {
    let description: String
}

/// A reactor for one test, shut down at its end.
func withReactor<Result>(
    options: SSHReactor.Options = .init(), _ body: (SSHReactor) async throws -> Result
) async throws -> Result {
    let reactor = try SSHReactor(options: options)
    let result: Swift.Result<Result, any Error>
    do { result = .success(try await body(reactor)) } catch { result = .failure(error) }
    await reactor.shutdown()
    return try result.get()
}

/// The error that an operation ends with. Not to be called inside `#expect`: Swift 6.3 then runs the closure of another call
/// in the same function.
func refusal(_ body: () async throws -> Void) async -> SSHError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? SSHError
    }
}

/// Waits until a condition holds, for at most five minutes: machines may be busy.
func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
    let end = ContinuousClock.now + .seconds(300)
    while ContinuousClock.now < end {
        if try await condition() { return true }
        try await Task.sleep(for: .milliseconds(10))
    }
    return false
}
