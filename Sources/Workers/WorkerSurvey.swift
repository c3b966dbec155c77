package import Model
internal import YAML

/// What lies below the folder of a bucket on a worker where no program of ours has been yet: found out by commands that
/// write nothing there and install nothing.
package struct WorkerSurvey: Sendable, Equatable {
    /// Jobs that run there, or are to run, as Maand last said; nil if it has said nothing.
    package var enabled: Set<String>?
    /// The files that were asked for and are there, by path; a job without a folder is missing.
    package var jobs: [JobName: [String: FoundFile]] = [:]

    /// Most bytes of an answer.
    private static let limit = 64 << 20

    /// Asks a worker. What was not asked for costs it nothing, whatever a service has put into the folder of its job.
    ///
    /// - Parameters:
    ///   - root: the folder of the bucket, absolute.
    ///   - paths: of jobs, which of their files are looked at; relative to the job's folder.
    ///   - nonce: what a login shell cannot print; letters and digits.
    /// - Throws: `TransportError`, also where the worker lacks a tool.
    package static func ask(
        _ worker: String, root: String, paths: [JobName: Set<String>], over transport: any Transport,
        nonce: String = WorkerSession.randomNonce()
    ) async throws(TransportError) -> WorkerSurvey {
        let jobs = paths.keys.sorted()
        let list = jobs.flatMap { job in
            (paths[job] ?? []).filter { TreePath.problem($0) == nil }.sorted().map { "./\(job)/\($0)" }
        }
        let command = WorkerCommand(
            ["sh", "-c", script, "survey", nonce, transport.path(root, on: worker)] + jobs.map(\.text),
            input: .bytes(list.flatMap { Array($0.utf8) + [0] }), outputLimit: limit, timeout: .seconds(300))
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

    /// Paths come in groups; each has three lists, with a line for each file of the group: what `stat` says, and the two sums.
    private static let script = """
        nonce=$1 root=$2
        shift 2
        LC_ALL=C; export LC_ALL
        # What cannot be read is not what is not there.
        cd "$root/jobs" && ls >/dev/null || exit 1
        echo; echo "@$nonce begin"
        if [ -f ../jobs.json ]; then echo "@$nonce enabled"; head -c 1048576 ../jobs.json || exit 1; echo; fi
        for job; do
            [ ! -e "./$job" ] || { ls "./$job" >/dev/null || exit 1; echo "@$nonce job $job"; }
        done
        xargs -0 -r sh -c '
            for file; do
                if [ -h "$file" ]; then continue; fi
                if [ -f "$file" ]; then printf "%s\\000" "$file"; continue; fi
                if [ -e "$file" ]; then continue; fi
                folder=${file%/*}
                until [ -e "$folder" ]; do folder=${folder%/*}; done
                # It may hide the file, and then it cannot be read.
                if [ -d "$folder" ] && [ ! -x "$folder" ]; then printf "%s\\000" "$file"; fi
            done' survey | xargs -0 -r sh -c '
            echo "@$0 stat"; stat -c "%s %a %n" "$@" || exit 255
            echo "@$0 md5"; md5sum "$@" || exit 255
            echo "@$0 sha256"; sha256sum "$@" || exit 255' "$nonce" || exit 1
        echo "@$nonce end"
        """

    /// - Returns: nil for what is no whole answer.
    init?(_ output: [UInt8], nonce: String) {
        var list = ""
        var (hasBegun, hasEnded, isWhole) = (false, false, true)
        var json: [UInt8] = []
        var group = Group()
        for line in output.split(separator: 0x0a) {
            guard let text = String(validating: line, as: UTF8.self) else { continue }
            if text.hasPrefix("@\(nonce) ") {
                let words = text.split(separator: " ")
                list = words.count > 1 ? String(words[1]) : ""
                if list == "stat" || list == "end" {
                    isWhole = group.close(into: &self) && isWhole
                    group = Group()
                }
                switch list {
                case "begin": hasBegun = true
                case "job": if words.count == 3, let job = JobName(String(words[2])) { jobs[job] = [:] }
                case "end": hasEnded = true
                case _: break
                }
                continue
            }
            guard hasBegun, !hasEnded else { continue }
            switch list {
            case "enabled": json += line + [0x0a]
            case "stat": group.stats.append(text)
            // Where the name holds a backslash, the line of its sum begins with one.
            case "md5": group.md5.append(String(text.drop { $0 == "\\" }.prefix(32)))
            case "sha256": group.sha256.append(String(text.drop { $0 == "\\" }.prefix(64)))
            case _: continue
            }
        }
        enabled = Self.enabled(json)
        guard hasEnded, isWhole else { return nil }
    }

    /// The lists of one group of paths.
    private struct Group {
        var stats: [String] = []
        var md5: [String] = []
        var sha256: [String] = []

        /// - Returns: false where they do not fit together, because a file has come or gone meanwhile.
        func close(into survey: inout WorkerSurvey) -> Bool {
            guard stats.count == md5.count, stats.count == sha256.count else { return false }
            for (stat, sums) in zip(stats, zip(md5, sha256)) {
                let words = stat.split(separator: " ", maxSplits: 2)
                guard words.count == 3, let size = Int(words[0]), let mode = Int(words[1], radix: 8),
                    let digest = Digest(hex: sums.1.utf8)
                else { return false }
                let place = words[2].split(separator: "/", maxSplits: 2)
                guard place.count == 3, place[0] == ".", let job = JobName(String(place[1])), survey.jobs[job] != nil
                else { return false }
                survey.jobs[job]?[String(place[2])] = FoundFile(
                    md5: sums.0, digest: digest, size: size, mode: mode)
            }
            return true
        }
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
}
