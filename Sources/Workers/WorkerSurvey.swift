package import Model
internal import YAML

/// What lies below the folder of a bucket on a worker where no program of ours has been yet: found out by a command that
/// writes nothing there and installs nothing.
package struct WorkerSurvey: Sendable, Equatable {
    /// A file, as it is now.
    package struct File: Sendable, Equatable {
        package var md5: String
        package var digest: Digest
        package var size: Int
        package var mode: Int
    }

    /// Jobs that run there, or are to run, as Maand last said; nil if it has said nothing.
    package var enabled: Set<String>?
    /// Files of each job by path, without `data`, `logs` and `bin`; a job without a folder is missing.
    package var jobs: [JobName: [String: File]] = [:]

    /// Most bytes of an answer.
    private static let limit = 64 << 20

    /// Asks a worker.
    ///
    /// - Parameters:
    ///   - root: the folder of the bucket, absolute.
    ///   - nonce: what a login shell cannot print; letters and digits.
    /// - Throws: `TransportError`, also where the worker lacks a tool.
    package static func ask(
        _ worker: String, root: String, jobs: [JobName], over transport: any Transport,
        nonce: String = WorkerSession.randomNonce()
    ) async throws(TransportError) -> WorkerSurvey {
        let command = WorkerCommand(
            ["sh", "-c", script, "survey", nonce, transport.path(root, on: worker)] + jobs.map(\.text),
            outputLimit: limit, timeout: .seconds(300))
        let result = try await transport.run(command, on: worker)
        guard let survey = WorkerSurvey(result.output, nonce: nonce) else {
            throw TransportError(
                .workerFault, worker: worker,
                reason: "the files of the bucket cannot be listed there: "
                    + (result.errorText.isEmpty ? "it gave no whole answer" : result.errorText))
        }
        return survey
    }

    /// Asks a worker for the ids of the buckets of Maand that have a folder there.
    ///
    /// - Parameter workerRoot: the folder of all buckets, absolute.
    /// - Throws: `TransportError`.
    package static func buckets(
        on worker: String, workerRoot: String, over transport: any Transport,
        nonce: String = WorkerSession.randomNonce()
    ) async throws(TransportError) -> [String] {
        let text = """
            echo; for f in "$2"/*/worker.json; do
                [ ! -f "$f" ] || { f=${f%/*}; printf '@%s %s\\n' "$1" "${f##*/}"; }
            done
            """
        let command = WorkerCommand(
            ["sh", "-c", text, "survey", nonce, transport.path(workerRoot, on: worker)], outputLimit: 1 << 16,
            timeout: .seconds(60))
        let result = try await transport.run(command, on: worker)
        return String(decoding: result.output, as: UTF8.self).split(separator: "\n")
            .filter { $0.hasPrefix("@\(nonce) ") }.map { String($0.dropFirst(nonce.count + 2)) }
    }

    /// A file has three lines, in lists of their own: what `stat` says, and its two sums. A path with a line feed or a backslash
    /// has a line that none of them fits, and is left out.
    private static let script = """
        nonce=$1 root=$2
        shift 2
        LC_ALL=C; export LC_ALL
        # What cannot be read is not what is not there.
        cd "$root/jobs" && ls >/dev/null || exit 1
        echo; echo "@$nonce begin"
        if [ -f ../jobs.json ]; then echo "@$nonce enabled"; head -c 1048576 ../jobs.json || exit 1; echo; fi
        files() {
            find . \\( -path ./data -o -path ./logs -o -path ./bin \\) -prune -o -type f -print0
        }
        for job; do
            [ -e "$root/jobs/$job" ] || continue
            cd "$root/jobs/$job" && files >/dev/null || exit 1
            echo "@$nonce job $job"
            files | xargs -0 -r stat -c '%s %a %n' || exit 1
            echo "@$nonce md5"
            files | xargs -0 -r md5sum || exit 1
            echo "@$nonce sha256"
            files | xargs -0 -r sha256sum || exit 1
        done
        echo "@$nonce end"
        """

    /// - Returns: nil for what is no whole answer.
    init?(_ output: [UInt8], nonce: String) {
        var job: JobName?
        var list = ""
        var (hasBegun, hasEnded) = (false, false)
        var json: [UInt8] = []
        var files: [String: (size: Int, mode: Int, md5: String, digest: Digest?)] = [:]
        func close(_ survey: inout WorkerSurvey) {
            guard let job else { return }
            survey.jobs[job] = files.compactMapValues { file in
                file.digest.map { File(md5: file.md5, digest: $0, size: file.size, mode: file.mode) }
            }
        }
        for line in output.split(separator: 0x0a) {
            guard let text = String(validating: line, as: UTF8.self) else { continue }
            if text.hasPrefix("@\(nonce) ") {
                let words = text.split(separator: " ")
                switch words.count > 1 ? words[1] : "" {
                case "begin": hasBegun = true
                case "enabled": list = "enabled"
                case "job":
                    if job == nil { enabled = Self.enabled(json) }
                    close(&self)
                    (job, list, files) = (words.count == 3 ? JobName(String(words[2])) : nil, "stat", [:])
                case "end":
                    close(&self)
                    hasEnded = true
                case let word: list = String(word)
                }
                continue
            }
            if hasBegun, job == nil, list == "enabled" { json += line + [0x0a] }
            guard hasBegun, !hasEnded, job != nil else { continue }
            switch list {
            case "stat":
                let words = text.split(separator: " ", maxSplits: 2)
                guard words.count == 3, let size = Int(words[0]), let mode = Int(words[1], radix: 8),
                    let path = Self.path(words[2])
                else { continue }
                files[path] = (size, mode, "", nil)
            case "md5", "sha256":
                let words = text.split(separator: " ", maxSplits: 1)
                guard words.count == 2, let path = Self.path(words[1].drop { $0 == " " || $0 == "*" }) else { continue }
                if list == "md5" { files[path]?.md5 = String(words[0]) }
                if list == "sha256" { files[path]?.digest = Digest(hex: words[0].utf8) }
            default: continue
            }
        }
        guard hasEnded else { return nil }
    }

    /// Jobs of `jobs.json` that are not disabled.
    private static func enabled(_ json: [UInt8]) -> Set<String>? {
        guard let node = try? JSONDocument.parse(json, file: "jobs.json", limits: .standard),
            case .sequence(let rows) = node.value
        else { return nil }
        return Set(
            rows.compactMap { row in
                guard case .mapping(let fields) = row.value,
                    let job = fields.first(where: { $0.name == "job" })?.value.text,
                    let disabled = fields.first(where: { $0.name == "disabled" })?.value.text
                else { return nil }
                return ["0", "false"].contains(disabled) ? job : nil
            })
    }

    private static func path(_ text: Substring) -> String? {
        guard text.hasPrefix("./") else { return nil }
        let path = String(text.dropFirst(2))
        return TreePath.problem(path) == nil ? path : nil
    }
}
