internal import Plans

extension WorkerSurvey {
    /// Runs the command of a health check on a worker where no program of ours has been yet, in the bucket's folder, with
    /// the environment that the worker script gives to checks.
    ///
    /// - Parameters:
    ///   - root: the folder of the bucket, absolute.
    ///   - timeout: after so many seconds the command is ended, where the worker has the program `timeout`.
    /// - Throws: `TransportError`.
    package static func check(
        _ line: String, on worker: String, root: String, timeout: Int, over transport: any Transport
    ) async throws(TransportError) -> AttemptReport {
        let text = """
            cd "$1" || exit 125
            path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
            # Not every busybox has the first of them.
            for limit in "timeout -k 1 $2" "timeout $2" ""; do $limit true 2>/dev/null && break; done
            USER=${USER:-${LOGNAME:-$(id -un)}}
            umask 022
            exec env -i HOME="${HOME:-/}" USER="$USER" LOGNAME="${LOGNAME:-$USER}" LANG=C.UTF-8 PATH="$path${PATH:+:$PATH}" \
                SHELL=/bin/sh ${XDG_RUNTIME_DIR:+"XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR"} $limit sh -c "$3"
            """
        let command = WorkerCommand(
            ["sh", "-c", text, "check", transport.path(root, on: worker), "\(timeout)", line], outputLimit: 1024,
            timeout: .seconds(timeout + 1) + transport.answerLimit)
        let result = try await transport.run(command, on: worker)
        let status: Int
        switch result.exit {
        case .status(let number): status = number
        case .signal(let name):
            return .refused("the command was ended by \(name)")
        }
        return .finished(
            AttemptResult(
                exitStatus: status, timedOut: status == 124, duration: .zero,
                output: Tail(bytes: result.output, total: result.output.count),
                errorOutput: Tail(bytes: result.errorOutput, total: result.errorOutput.count)))
    }
}
