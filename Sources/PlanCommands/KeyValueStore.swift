import Catalog
import Commands
import Glibc
import KeyValues
import Model
import Planner
import Plans
import ThisHost
import UseCases

/// A bucket's key-value store as the commands of `kv` use it.
struct KeyValueStore {
    private let bucket: BucketOptions
    private let configuration: BucketConfiguration
    private let catalog: Catalog?

    init(_ bucket: BucketOptions) throws {
        self.bucket = bucket
        configuration = try bucket.configuration()
        catalog = try Catalog.openReadOnly(in: bucket.folder, bucket: configuration.bucketID)
    }

    /// The values of a namespace. The workspace is read where some of them follow from it.
    ///
    /// - Parameter reveals: whether secrets are shown, so that their key is needed.
    func view(of namespace: KVNamespace, reveals: Bool = false) throws -> KeyValueView {
        var facts = Facts()
        var vault: Vault?
        if namespace.isSecret {
            if reveals { vault = try catalog.flatMap { try Vault.open(in: bucket.folder, of: $0) } }
        } else {
            facts = try self.facts()
        }
        return KeyValueView(facts: facts, bucket: configuration.bucketID, catalog: catalog, vault: vault)
    }

    /// What follows from the workspace.
    func facts() throws -> Facts {
        let workspace = try Workspace.read(bucket.path("workspace"), configuration)
        return try Planner.facts(workspace, try catalog?.snapshot() ?? .empty)
    }

    /// All values but those of secrets.
    ///
    /// - Parameter job: finds its certificates where its hooks do.
    func view(_ facts: Facts, of job: JobName? = nil) -> KeyValueView {
        KeyValueView(facts: facts, bucket: configuration.bucketID, catalog: catalog, vault: nil, job: job)
    }

    /// The text of a value. Where the bucket's key is replaced meanwhile, it is read again.
    func text(_ namespace: KVNamespace, _ key: String, reveals: Bool) throws -> String {
        for attempt in 0... {
            let view = try view(of: namespace, reveals: reveals)
            guard let value = try view.value(namespace, key) else { throw missing(namespace, key) }
            do { return try view.text(of: value, in: namespace) } catch VaultError.unreadable where attempt < 20 {}
        }
        throw missing(namespace, key)
    }

    /// The namespaces of variables and secrets of every job that is in the workspace or has some.
    func namespacesOfJobs() throws -> [KVNamespace] {
        let facts = try self.facts()
        var namespaces = Set(try catalog?.keyValueNamespaces() ?? [])
        for job in facts.jobs { namespaces.insert(.variables(job.job)) }
        return namespaces.filter { namespace in
            switch namespace {
            case .variables, .secrets: true
            case .bucket, .workers, .worker, .tags, .job, .allocation, .bucketVariables, .bucketJobVariables,
                .certificates:
                false
            }
        }.sorted { $0.text < $1.text }
    }

    func missing(_ namespace: KVNamespace, _ key: String) -> Failure {
        Failure(
            .invalidInput, "there is no key \(key) in \(namespace)",
            "`maand-plan kv list \(namespace)` shows what is there"
        )
    }

    /// - Throws: `Failure` where the key follows from the workspace, which has to be changed then.
    func checkCanWrite(_ namespace: KVNamespace, _ key: String) throws {
        let job: JobName
        switch namespace {
        case .variables(let name), .secrets(let name): job = name
        case .bucket, .workers, .worker, .tags, .job, .allocation, .bucketVariables, .bucketJobVariables, .certificates:
            let source = namespace.source(ofKey: key) ?? "the workspace"
            throw Failure(.usage, "\(namespace) cannot be written: its values follow from \(source)", "change that")
        }
        let folder = bucket.path("workspace/jobs/\(job)")
        if access(folder, F_OK) != 0 { printNotice("warning: there is no job \(job) in the workspace") }
        if !namespace.isSecret, try JobVariables.values(of: job, in: bucket.path("workspace"))[key] != nil {
            throw Failure(.usage, "`\(key)` stands in \(folder)/vars.toml, which comes first", "change it there")
        }
    }

    /// - Returns: the version that the key has now.
    func put(_ namespace: KVNamespace, _ key: String, _ text: String) throws -> Int {
        let catalog = try Catalog.open(in: bucket.folder, bucket: configuration.bucketID)
        let content = try Vault.content(of: text, in: namespace, key, bucket: bucket.folder, catalog)
        return try write(KeyValueWrite(namespace, key, content), to: catalog)
    }

    func delete(_ namespace: KVNamespace, _ key: String) throws {
        guard try catalog?.keyValue(namespace, key)?.value != nil else { throw missing(namespace, key) }
        let catalog = try Catalog.open(in: bucket.folder, bucket: configuration.bucketID)
        _ = try write(KeyValueWrite(namespace, key, .deletion), to: catalog)
        // With the last secret, a key that was lost is forgotten.
        if namespace.isSecret { _ = try? Vault.openOrCreate(in: bucket.folder, for: catalog) }
    }

    private func write(_ write: KeyValueWrite, to catalog: Catalog) throws -> Int {
        do {
            return try catalog.write(write, at: Clock.system.now(), by: ControlHost.who)
        } catch let error as KeyValueError {
            throw Failure(.invalidInput, "\(error)")
        }
    }
}

/// Values that are not on the command line.
enum KeyValueInput {
    static func read(isSecret: Bool, prompt: String) throws -> String {
        if isatty(STDIN_FILENO) == 1 { return try ask(prompt, isHidden: isSecret) }
        let bytes = try HostFiles.read("-", limit: KeyValue.maximumValue + 2, as: "the value")
        guard var text = String(validating: bytes, as: UTF8.self) else {
            throw Failure(.invalidInput, "the value is not UTF-8", "encode it, for example with base64")
        }
        if text.last == "\n" || text.last == "\r\n" { text.removeLast() }
        return text
    }

    private static func ask(_ prompt: String, isHidden: Bool) throws -> String {
        var settings = termios()
        tcgetattr(STDIN_FILENO, &settings)
        var hidden = settings
        hidden.c_lflag &= ~tcflag_t(ECHO)
        if isHidden { tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) }
        defer { if isHidden { tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings) } }
        do throws(HostFiles.Problem) { try HostFiles.writeAll(Array(prompt.utf8), to: STDERR_FILENO) } catch {
            throw Failure(.failed, code: .fileNotWritten, "standard error cannot be written: \(error.message)")
        }
        let line = readLine(strippingNewline: true)
        if isHidden { printNotice("") }
        guard let line else { throw Failure(.usage, "no value was given") }
        return line
    }
}
