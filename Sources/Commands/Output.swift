internal import Glibc
internal import UseCases

/// Text for people, on standard error.
package func printNotice(_ text: String) {
    // Nobody is left to tell when standard error is closed.
    try? HostFiles.writeAll(Array((text + "\n").utf8), to: STDERR_FILENO)
}

/// What a command was asked for, on standard output.
package func printResult(_ bytes: [UInt8]) throws {
    do throws(HostFiles.Problem) {
        try HostFiles.writeAll(bytes, to: STDOUT_FILENO)
    } catch {
        throw Failure(.failed, code: .fileNotWritten, "standard output cannot be written: \(error.message)")
    }
}
