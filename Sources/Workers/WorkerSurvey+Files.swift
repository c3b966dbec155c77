package import Model

extension WorkerSurvey {
    /// How much is fetched from all workers together.
    package struct Bounds: Sendable {
        /// Bytes of one file, at most.
        package var file = 16 << 20
        /// Bytes of all files of a worker, at most.
        package var total = 64 << 20
        /// Files of a worker, at most.
        package var count = 5000

        package init() {}
    }

    /// Fetches files from a worker, as far as they are still what a survey has found.
    ///
    /// - Parameters:
    ///   - root: the folder of the bucket, absolute.
    ///   - files: with their paths below the folder of jobs, such as `web/web.conf`.
    /// - Returns: their bytes, by digest. A file that has changed since is missing.
    /// - Throws: `TransportError`.
    package static func files(
        _ files: [(path: String, file: FoundFile)], from worker: String, root: String, over transport: any Transport,
        nonce: String = WorkerSession.randomNonce()
    ) async throws(TransportError) -> [Digest: [UInt8]] {
        let text = """
            cd "$2/jobs" && xargs -0 -r sh -c '
                for file; do
                    size=$(stat -c %s "$file") || size=0
                    printf "\\n@%s %s\\n" "$0" "$size"; head -c "$size" "$file"
                done' "$1"
            """
        let sizes = files.reduce(0) { $0 + $1.file.size }
        let command = WorkerCommand(
            ["sh", "-c", text, "files", nonce, transport.path(root, on: worker)],
            input: .bytes(files.flatMap { Array("./\($0.path)".utf8) + [0] }),
            // Where files have grown meanwhile, what comes is not what was asked for.
            outputLimit: sizes + 100 * files.count + (1 << 16), timeout: .seconds(300))
        let result = try await transport.run(command, on: worker)
        let mark = Array("\n@\(nonce) ".utf8)
        var rest = result.output[...]
        // A login shell may have printed something before.
        if let first = rest.firstRange(of: mark) { rest = rest[first.lowerBound...] }
        var found: [Digest: [UInt8]] = [:]
        for (_, file) in files {
            guard rest.starts(with: mark), let end = rest.dropFirst(mark.count).firstIndex(of: 0x0a),
                let size = Int(String(decoding: rest[(rest.startIndex + mark.count)..<end], as: UTF8.self)), size >= 0
            else { break }
            let bytes = Array(rest[(end + 1)...].prefix(size))
            rest = rest[(end + 1)...].dropFirst(bytes.count)
            if Digest.of(bytes) == file.digest { found[file.digest] = bytes }
        }
        return found
    }
}
