internal import Crypto
package import Model
internal import Plans

/// One try of one step on one worker, as the worker is to know it.
public struct AttemptRequest: Sendable, Hashable {
    /// What the worker runs.
    public enum Action: Sendable, Hashable {
        /// A target of the job's Makefile, made whether or not a file of that name exists. Where the Makefile is optional
        /// and there is none, nothing is to be made.
        case target(String, isMakefileOptional: Bool = false)
        /// Lines for `sh`.
        case shell(String)
    }

    /// Of the attempts with one lock, one runs at a time.
    public enum Lock: Sendable, Hashable {
        /// That of actions of the job.
        case job
        /// One by name: letters, digits and `-`.
        case named(String)
        /// A probe may run beside anything.
        case none
    }

    /// `<run nonce>-<step>-<attempt>`, of letters, digits and `-`. It is asked for again by the same id.
    public var id: String
    /// What is run, in the folder of `job`.
    public var action: Action
    /// The job whose directory is the working directory; `nil` for the bucket's root on the worker.
    public var job: String?
    /// What else runs beside it.
    public var lock: Lock
    /// What the command gets beside the fixed environment.
    public var environment: [String: String]
    /// Seconds since 1970, by the worker's clock, from which on the command must not begin any more.
    public var latestStart: Int?
    /// After this long the command's process group gets TERM; `nil` for never. Whole seconds, rounded up.
    public var timeout: Duration?
    /// How long after TERM what is left gets KILL.
    public var grace: Duration
    /// How many of the last bytes of each output stream are reported.
    public var tailLimit: Int

    /// What is left of a command whose time is up gets so long to end by itself.
    public static let grace = Duration.seconds(ExecutionLimits.grace)

    public init(
        id: String, action: Action, job: String?, lock: Lock = .job, environment: [String: String] = [:],
        latestStart: Int? = nil, timeout: Duration?, grace: Duration = Self.grace, tailLimit: Int = 1 << 16
    ) {
        self.id = id
        self.action = action
        self.job = job
        self.lock = lock
        self.environment = environment
        self.latestStart = latestStart
        self.timeout = timeout
        self.grace = grace
        self.tailLimit = tailLimit
    }

    /// A question that changes nothing: it runs beside anything, belongs to no step, and is never asked about again.
    ///
    /// - Parameter job: in whose folder it is asked; nil for the bucket's root on the worker.
    package static func probe(
        _ lines: String, of owner: Owner, timeout: Duration, job: JobName? = nil, environment: [String: String] = [:]
    ) -> AttemptRequest {
        AttemptRequest(
            id: "\(owner.run)-probe-\(WorkerSession.randomNonce())", action: .shell(lines), job: job?.text, lock: .none,
            environment: environment, timeout: timeout, grace: .seconds(1), tailLimit: 1024)
    }

    /// The Makefile's target; nil for lines of shell.
    var target: String? {
        switch action {
        case .target(let name, _): name
        case .shell: nil
        }
    }

    /// Whether it is nothing to do where there is no Makefile.
    package var isMakefileOptional: Bool {
        switch action {
        case .target(_, let isMakefileOptional): isMakefileOptional
        case .shell: false
        }
    }

    /// What the worker's shell reads: the variables, then the command.
    var script: String { script(choosing: true) }

    /// Has make read the Makefile that was reviewed, also if there is a `GNUmakefile` or `makefile`, which make prefers. For a
    /// command `make "$@"`.
    package static let makefileChoice = "[ ! -e Makefile ] || set -- -f Makefile\n"

    /// - Parameter choosing: false gives the text that earlier releases sent: the digest of a command stays the same.
    private func script(choosing: Bool) -> String {
        var text = ""
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) {
            text += "export \(name)=\(ShellText.quoted(value))\n"
        }
        switch action {
        case .shell(let lines): text += lines
        case .target(let target, let isMakefileOptional):
            let word = ShellText.quoted(target)
            let choice = choosing ? " \"$@\"" : ""
            let make = "make\(choice) --no-print-directory" + literals
            if isMakefileOptional { text += "[ -e GNUmakefile ] || [ -e makefile ] || [ -e Makefile ] || exit 0\n" }
            if choosing { text += Self.makefileChoice }
            // A phony target without a rule is "nothing to be done" for make, and succeeds. So a target is declared
            // phony only where something of its name exists, and then only after looking for its rule.
            text += """
                if [ -e ./\(word) ] || [ -L ./\(word) ]; then
                    if LC_ALL=C make\(choice) -pnq\(literals) \(word) 2>/dev/null | grep -A1 '^# Not a target' | grep -qxF \(word):; then
                        echo "make: *** No rule to make target" \(word)".  Stop." >&2
                        exit 2
                    fi
                    exec \(make) --eval '.PHONY: '\(word) \(word)
                fi
                exec \(make) \(word)
                """
        }
        return text.hasSuffix("\n") ? text : text + "\n"
    }

    /// Options by which make takes variables as they are: of those that it has from the environment, it would expand each
    /// `$` at every use. None where there is none, so that the digest of such a command stays what earlier releases made it.
    private var literals: String {
        environment.keys.sorted().filter { environment[$0]?.utf8.contains(UInt8(ascii: "$")) == true }
            .map { " --eval " + ShellText.quoted("\($0):=$(value \($0))") }.joined()
    }

    /// SHA-256, in lower-case hex, over all that decides what the command is and where it runs.
    package var digest: String {
        var hash = SHA256()
        hash.update(data: Array("\(job ?? "-") \(lock == .job)\n".utf8))
        hash.update(data: Array(script(choosing: false).utf8))
        return hash.finalize().hexadecimal
    }

    /// The name of the lock for the worker script.
    var lockName: String {
        switch lock {
        case .job: job ?? "-root"
        case .named(let name): name
        case .none: "-"
        }
    }

    /// Why this cannot be asked, or `nil`.
    var flaw: String? {
        if !ShellText.isWord(id) || !id.contains("-") || id.contains(".") || id.contains(":") || id.contains("_") {
            return "attempt id \(id) is not <run>-<step>-<attempt>"
        }
        if let job, !ShellText.isWord(job) || job == "." || job == ".." || job == "-" { return "job name \(job)" }
        if case .target(let target, _) = action, !ShellText.isWord(target) || target.hasPrefix("-") {
            return "target name \(target)"
        }
        for (name, value) in environment where !ShellText.isVariable(name) || value.utf8.contains(0) {
            return "variable \(name)"
        }
        if script.utf8.contains(0) { return "a command with a zero byte" }
        if script.utf8.count > Self.scriptLimit { return "a command of more than \(Self.scriptLimit) bytes" }
        return nil
    }

    /// The worker's shell reads it byte by byte.
    static let scriptLimit = 1 << 20
}
