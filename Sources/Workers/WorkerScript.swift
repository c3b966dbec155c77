internal import Crypto

/// The POSIX sh script that does what happens on a worker, as it is embedded in this program.
enum WorkerScript {
    static let bytes: [UInt8] = PackageResources.worker_sh

    /// SHA-256 of the script, lower-case hex. Part of the file's name on the worker, so that every version finds its own.
    static let digest: String = SHA256.hash(data: bytes).hexadecimal

    /// Puts the script at `path`, complete and verified or not at all.
    static func installation(at path: String) -> WorkerCommand {
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        // The paths are arguments, so that the text is the same for every login shell.
        let text = """
            umask 022 && mkdir -p "$1" && cat >"$2.$$" && echo "$3  $2.$$" | sha256sum -c >/dev/null && mv "$2.$$" "$2"
            """
        return WorkerCommand(
            ["sh", "-c", text, "install", folder, path, digest], input: .bytes(bytes), timeout: .seconds(60))
    }

    /// Runs the script without leaving it on the worker, for a verb that touches nothing.
    ///
    /// - Parameters:
    ///   - words: the verb and its arguments.
    ///   - input: the lines that the verb reads, none of them empty.
    ///   - path: where the script would lie.
    static func sent(
        along words: [String], input: [String], as path: String, outputLimit: Int, timeout: Duration
    ) -> WorkerCommand {
        // One line, as login shells such as csh want it.
        let text = """
            n=$1; shift; i=$(while [ "$n" -gt 0 ] && IFS= read -r l; do printf "%s\\n" "$l"; n=$((n-1)); done); \
            s=$(cat); printf "%s\\n" "$i" | { eval "$s"; }
            """
        return WorkerCommand(
            ["sh", "-c", text, path, "\(input.count)"] + words,
            input: .bytes(Array(input.map { $0 + "\n" }.joined().utf8) + bytes), outputLimit: outputLimit,
            timeout: timeout)
    }
}

extension Digest {
    var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in self {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
