public import ArgumentParser
import Catalog
import Commands
import Glibc
import KeyValues
public import Model
import Review
import Windows
import YAML

struct KeyValueCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kv",
        abstract: "Shows and sets variables and secrets of jobs.",
        discussion: """
            Values lie in namespaces: maand/... and vars/bucket... follow from the workspace, vars/job/JOB and \
            secrets/job/JOB are set here and by hooks. Secrets are encrypted in the catalog with the key secrets/kv.key. \
            The key rollout_order of vars/job/JOB, a list of workers separated by commas, is the order of the job's \
            rollouts.
            """,
        subcommands: [
            GetKeyValue.self, ListKeyValues.self, PutKeyValue.self, DeleteKeyValue.self, RotateKey.self,
        ])
}

struct GetKeyValue: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Prints the value of a key.",
        discussion:
            "On a terminal, characters that a reader cannot see are shown as \\u{...}; elsewhere the bytes are the value's."
    )

    @Argument(help: "The namespace, such as vars/job/api.")
    var namespace: KVNamespace

    @Argument(help: "The key.")
    var key: String

    @Flag(help: "Print a secret, too.")
    var reveal = false

    @OptionGroup var bucket: BucketOptions

    func run() throws {
        let store = try KeyValueStore(bucket)
        guard try store.view(of: namespace).value(namespace, key) != nil else {
            throw store.missing(namespace, key)
        }
        guard reveal || !namespace.isSecret else {
            throw Failure(.usage, "\(key) of \(namespace) is a secret", "--reveal prints it")
        }
        let text = try store.text(namespace, key, reveals: reveal)
        try printResult(Array(((isatty(STDOUT_FILENO) == 1 ? visible(text) : text) + "\n").utf8))
    }

    /// For a terminal: hooks write values, and a value may hold what a terminal obeys. Line feeds and tabs stay.
    private func visible(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { VisibleText.escape(String($0), for: .fileLine) }.joined(separator: "\n")
    }
}

struct PutKeyValue: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "put", abstract: "Sets a key of vars/job/JOB or secrets/job/JOB.",
        discussion: """
            Without a value it is read from standard input, and a line feed at its end is left out; on a terminal it is \
            asked for. A secret is never taken from the command line, where others could see it.
            """)

    @Argument(help: "The namespace, vars/job/JOB or secrets/job/JOB.")
    var namespace: KVNamespace

    @Argument(help: "The key.")
    var key: String

    @Argument(help: "The value; - reads standard input.")
    var value: String?

    @OptionGroup var bucket: BucketOptions

    func run() throws {
        let store = try KeyValueStore(bucket)
        try store.checkCanWrite(namespace, key)
        if let problem = KeyValue.problem(ofKey: key) { throw Failure(.usage, "the key \(problem)") }
        let given = value == "-" ? nil : value
        guard given == nil || !namespace.isSecret else {
            throw Failure(
                .usage, "\(namespace) holds secrets, and others can see the command line",
                "give the value on standard input: `maand-plan kv put \(namespace) \(key) < FILE`")
        }
        let text = try given ?? KeyValueInput.read(isSecret: namespace.isSecret, prompt: "\(key) of \(namespace): ")
        if let problem = KeyValue.problem(ofValue: text) { throw Failure(.invalidInput, "the value \(problem)") }
        let version = try store.put(namespace, key, text)
        printNotice("\(key) of \(namespace) is set; this is version \(version).")
    }
}

struct DeleteKeyValue: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Deletes a key of vars/job/JOB or secrets/job/JOB.")

    @Argument(help: "The namespace, vars/job/JOB or secrets/job/JOB.")
    var namespace: KVNamespace

    @Argument(help: "The key.")
    var key: String

    @OptionGroup var bucket: BucketOptions

    func run() throws {
        let store = try KeyValueStore(bucket)
        try store.checkCanWrite(namespace, key)
        try store.delete(namespace, key)
        printNotice("\(key) of \(namespace) is deleted.")
    }
}

extension KVNamespace: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
