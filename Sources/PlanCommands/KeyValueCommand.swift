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

struct ListKeyValues: ParsableCommand, JSONCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists keys and values; of secrets the keys alone.")

    @Argument(help: "The namespace; without it, the variables and secrets of all jobs.")
    var namespace: KVNamespace?

    @OptionGroup var options: CatalogListOptions

    var printsJSON: Bool { options.format == .json }

    func run() throws {
        let store = try KeyValueStore(options.bucket)
        var rows: [Row] = []
        for namespace in try namespace.map({ [$0] }) ?? store.namespacesOfJobs() {
            let view = try store.view(of: namespace)
            for value in try view.values(in: namespace) {
                rows.append(
                    Row(
                        namespace: namespace, key: value.key,
                        text: namespace.isSecret ? nil : try view.text(of: value, in: namespace),
                        version: value.version, source: value.source))
            }
        }
        switch options.format {
        case .text:
            var table = TextTable(["namespace", "key", "value", "version", "from"])
            for row in rows {
                table.add([
                    row.namespace.text, row.key, row.text.map(Self.short) ?? "(secret)",
                    row.version.map { String($0) } ?? "-", row.source,
                ])
            }
            try printResult(Array(table.text.utf8))
        case .json:
            let items = rows.map { row in
                JSON.object([
                    ("namespace", .string(row.namespace.text)), ("key", .string(row.key)),
                    ("value", .optional(row.text)), ("secret", .bool(row.namespace.isSecret)),
                    ("version", row.version.map(JSON.int) ?? .null), ("from", .string(row.source)),
                ])
            }
            try printResult(Array(JSON.array(items).text.utf8))
        }
    }

    /// What is shown of one key. Swift 6.3.1 cannot optimize tuples that hold a whole `KeyValueView.Value` here.
    private struct Row {
        let namespace: KVNamespace
        let key: String
        let text: String?
        let version: Int?
        let source: String
    }

    /// For a row of a table.
    private static func short(_ text: String) -> String { text.count > 60 ? text.prefix(57) + "..." : text }
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

extension KeyValueView.Value {
    fileprivate var version: Int? {
        switch origin {
        case .workspace: nil
        case .stored(let version, _, _): version
        }
    }

    fileprivate var source: String {
        switch origin {
        case .workspace(let file): file
        case .stored(_, let at, let who): "\(who), \(at.utcText)"
        }
    }
}
