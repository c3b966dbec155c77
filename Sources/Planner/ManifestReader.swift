internal import JobFiles
internal import Model
internal import Plans
internal import YAML

/// Decodes a `manifest.json`, recording every error.
///
/// Fields and their defaults are Maand's; see its manifest reference. `timeouts`, `repeatable`, `changed_by_service`,
/// `file_modes`, `ca` and `after` are ours.
struct ManifestReader {
    let reader: Reader
    let job: JobName

    init(_ reader: Reader, job: JobName) {
        self.reader = reader
        self.job = job
    }

    /// The manifest as far as it could be read; whether that is all of it, `reader` knows.
    func manifest() -> Manifest {
        let table = table
        var manifest = table.read(reader.root, reader) ?? Manifest()
        if manifest.selectors.isEmpty {
            manifest.selectors = [job.text.foldedLabel]
            manifest.spelledSelectors = [job.text]
        }
        checkNewHosts(of: manifest)
        return manifest
    }

    /// The fields of the file.
    var table: InputTable<Manifest> {
        InputTable(
            "manifest", "A job: its version, the workers that it runs on, and how it is rolled out.", blank: Manifest()
        ) { fields in
            addPlaces(&fields)
            addUpdates(&fields)
            fields.inside("resources", resources, "What the job reserves on each of its workers, and its ports.")
            addCommands(&fields)
            addChecks(&fields)
            addFiles(&fields)
        }
    }

    // MARK: Fields

    private func addPlaces(_ fields: inout InputTable<Manifest>) {
        fields.optional(
            "version", \.version, versionType,
            """
            The version of the job, such as `"1.4.0"`: one to three numbers with optional text after them, of letters, digits \
            and `._+~:-`, at most 128. Without it `0.0.0`; required if the job demands a job or is demanded.
            """)
        fields.optional(
            "selectors", selectors,
            """
            Labels; the job runs on each worker that has all of them. The case of letters does not count. Without any it is \
            the job's name.
            """
        ) { manifest, labels, node in
            manifest.selectorsNode = labels.isEmpty ? nil : node
            manifest.selectors = labels.map(\.foldedLabel)
            manifest.spelledSelectors = labels
        }
        fields.optional(
            "min_allocations_count", count, "Fewer workers than this are an error; disabled ones count."
        ) { manifest, count, node in
            manifest.minimumAllocations = count
            manifest.minimumNode = node
        }
    }

    private func addUpdates(_ fields: inout InputTable<Manifest>) {
        fields.optional(
            "max_concurrent_starts", \.maximumStarts, count,
            "The size of a batch of new allocations; 0 means all. One gate comes after all of them.")
        addOld("deploy_parallel_count", of: "max_concurrent_starts", &fields) { $0.maximumStarts = $1 }
        fields.optional(
            "max_concurrent_upgrades", \.maximumUpgrades, batchCount,
            "The size of an upgrade batch; 0 means 1. A gate comes after each batch.")
        addOld("update_parallel_count", of: "max_concurrent_upgrades", &fields) { $0.maximumUpgrades = max($1, 1) }
        fields.inside("rollout", rollout, "Further rules for batches.")
        for field in ["max_concurrent_upgrades", "update_parallel_count"] {
            fields.rule(
                .notBoth(
                    ["rollout", "batches"], field,
                    "job \(job): rollout.batches and max_concurrent_upgrades both give a size",
                    note: "remove max_concurrent_upgrades"))
        }
        fields.optional(
            "restart_policy", \.restartPolicy, word("restart_policy", isEmptyNone: true),
            """
            What an update does to a running allocation: `always` restarts it; `reload` reloads it, or restarts it if a \
            changed path matches `restart_globs`; `never` pushes files and runs no target.
            """)
        fields.optional(
            "restart_globs", globs("restart_globs"),
            "[Globs](#globs) such as `[\"Makefile\", \"conf/**\"]`; only with `reload`."
        ) { manifest, globs, node in
            manifest.restartGlobs = globs
            if manifest.restartPolicy != .reload, reader.sequence(node)?.isEmpty == false {
                reader.error(
                    node, "job \(job): restart_globs needs `\"restart_policy\": \"reload\"`",
                    note: "with the policy `\(manifest.restartPolicy.rawValue)` no glob has any effect")
            }
        }
        let reload = ("const", JSON.string(Manifest.RestartPolicy.reload.rawValue))
        fields.described(
            by: .when(
                .has("restart_globs", [("type", .string("array")), ("minItems", .int(1))]),
                then: .has("restart_policy", [reload])))
    }

    /// A count that older bundles have under another key.
    private func addOld(
        _ old: String, of name: String, _ fields: inout InputTable<Manifest>,
        _ take: @escaping (inout Manifest, Int) -> Void
    ) {
        let count = InputType(count.description) { node in
            reader.warn(node, "job \(job): `\(old)` is now called `\(name)`")
            return integer(node, Self.countRange)
        }
        fields.optional(old, count, "The old name of `\(name)`; read with a warning.", isOld: true) {
            manifest, count, _ in
            take(&manifest, count)
        }
        fields.rule(
            .notBoth(
                [old], name, "job \(job): `\(old)` and `\(name)` are the same setting", note: "remove `\(old)`"))
    }

    private func addChecks(_ fields: inout InputTable<Manifest>) {
        fields.optional(
            "health_check", .object(healthCheck), "What gates ask. Without it gates ask only hooks."
        ) { manifest, check, node in
            manifest.healthCheckNode = node
            manifest.healthCheck = check
            checkPorts(check, of: manifest)
        }
        fields.optional(
            "timeouts", \.timeouts, .object(timeouts),
            "Seconds until a Makefile target, a hook or a push is ended and counts as failed.")
        fields.optional(
            "repeatable", repeatable,
            """
            Targets and commands that may run again if the outcome is unknown and no process of the attempt lives, such as \
            `["reload"]`. Without it a person decides.
            """
        ) { manifest, nodes, _ in setRepeatable(nodes, in: &manifest) }
    }

    private func addFiles(_ fields: inout InputTable<Manifest>) {
        fields.optional(
            "changed_by_service", \.changedByService, globs("changed_by_service"),
            """
            [Globs](#globs) of pushed files that the running service rewrites, such as `["conf/users.json"]`. Changes of these \
            files are never [drift](operations.md#drift). A new version replaces such a file only if its bytes in the \
            workspace changed.
            """)
        fields.optional(
            FileModes.field, \.fileModes, fileModes,
            """
            [Globs](#globs) of files of the job with the mode that they get on workers, such as `{"conf/*.key": "0640"}`; of \
            several that match, the last one counts. The owner has to be able to read the file. Without it 0644, 0755 for \
            executable files, 0600 for files with [secrets](templates.md#secrets-in-templates).
            """)
        fields.optional(
            "certs", \.certificates, certificates, "[Certificates](certificates.md) of the job, by name.")
        fields.optional(
            "ca", \.wantsAuthorities, .boolean,
            """
            The job gets `certs/ca.crt`, the certificates of the bucket's [authorities](certificates.md), also without \
            `certs`.
            """)
    }

    private var timeouts: InputTable<Plan.Timeouts> {
        InputTable("timeouts", "Limits in seconds.", blank: Plan.Timeouts()) { fields in
            fields.optional("action", \.action, .integer(Plan.Timeouts.range), "Of a Makefile target.")
            fields.optional("hook", \.hook, .integer(Plan.Timeouts.range), "Of a hook.")
            fields.optional("push", \.push, .integer(Plan.Timeouts.range), "Of a push.")
        }
    }

    // MARK: Types

    /// A number of allocations.
    private static let countRange = 0...1_000_000
    private var count: InputType<Int> { .integer(Self.countRange) }

    /// 0 stands for 1.
    private var batchCount: InputType<Int> {
        count.reading { integer($0, Self.countRange).map { max($0, 1) } }
    }

    private var versionType: InputType<Version> { InputType(.version, read: version) }

    func version(_ node: Node) -> Version? {
        guard let text = reader.string(node) else { return nil }
        if text.trimmingWhitespace.isEmpty { return nil }
        guard let version = Version(text.trimmingWhitespace) else {
            reader.error(
                node, "job \(job): \"\(text)\" is not a version",
                note: "one to three numbers, such as \"1.4.0\", \"v2.1\" or \"2.0.0-rc1\"; " + Version.characters)
            return nil
        }
        return version
    }

    private var selectors: InputType<[String]> {
        InputType(.list(of: .visible("a label"))) { node in
            reader.sequence(node)?.compactMap { node in
                guard let text = reader.string(node) else { return nil }
                if text.trimmingWhitespace.isEmpty { reader.error(node, "job \(job): a label may not be empty") }
                return text
            }
        }
    }

    /// A word of a closed list.
    ///
    /// - Parameter isEmptyNone: whether an empty text is as good as no field.
    func word<Word: RawRepresentable<String> & CaseIterable>(
        _ field: String, isEmptyNone: Bool = false
    ) -> InputType<Word> {
        let words = Word.allCases.map(\.rawValue)
        let description = ValueDescription.word(words + (isEmptyNone ? [""] : [])).called(
            ValueDescription.word(words).words)
        return InputType(description, json: { .string($0.rawValue) }) { node in
            guard let text = reader.string(node), !(isEmptyNone && text.isEmpty) else { return nil }
            if let word = Word(rawValue: text) { return word }
            reader.error(
                node, "job \(job): \(field) has to be one of \(words.joined(separator: ", ")), and is \"\(text)\"",
                note: nearest(text, words))
            return nil
        }
    }

    private var repeatable: InputType<[Node]> {
        let targets = LifecycleAction.allCases.filter { $0.target != nil }.map(\.rawValue)
        return InputType(.list(of: .either([.word(targets), commandName()]))) { reader.sequence($0) }
    }

    /// Targets and commands that may be run again if the outcome is unknown.
    private func setRepeatable(_ nodes: [Node], in manifest: inout Manifest) {
        var found = Set<LifecycleAction>()
        for node in nodes {
            guard let text = reader.string(node) else { continue }
            if let action = LifecycleAction(rawValue: text), action.target != nil {
                found.insert(action)
            } else if let index = manifest.commands.firstIndex(where: { $0.name == text }) {
                manifest.commands[index].isRepeatable = true
            } else {
                reader.error(
                    node, "job \(job): repeatable names targets (start, restart, reload, stop) and commands of the job",
                    note: nearest(text, manifest.commands.map(\.name)))
            }
        }
        manifest.repeatable = LifecycleAction.allCases.filter(found.contains)
    }

    private var fileModes: InputType<FileModes> {
        let modes = ValueDescription.text("a mode", pattern: FileModes.pattern)
        return InputType(.map("a glob", keys: .visible("a glob"), to: modes, most: FileModes.limit)) {
            FileModes($0, reader, job: job)
        }
    }

    /// Each is compared with each file of the job.
    private static let globLimit = (count: 256, bytes: 512)

    private func globs(_ field: String) -> InputType<[Glob]> {
        InputType(.list(of: .visible("a glob"))) { node in
            guard let nodes = reader.sequence(node) else { return nil }
            if nodes.count > Self.globLimit.count {
                reader.error(
                    node, "job \(job): \(field) has more than \(Self.globLimit.count) globs",
                    note: "`*` and `**` stand for many paths")
                return []
            }
            return nodes.compactMap { glob($0, of: field) }
        }
    }

    private func glob(_ node: Node, of field: String) -> Glob? {
        guard let text = reader.string(node) else { return nil }
        guard text.utf8.count <= Self.globLimit.bytes else {
            reader.error(node, "job \(job): a glob of \(field) is longer than \(Self.globLimit.bytes) bytes")
            return nil
        }
        do throws(Glob.Problem) {
            return try Glob(text)
        } catch {
            reader.error(node, "job \(job): \(field): \(error.message)")
            return nil
        }
    }

    // MARK: Pieces

    func integer(_ node: Node, _ range: ClosedRange<Int>) -> Int? { reader.integer(node, in: range) }

    func nearest(_ text: String, _ known: [String]) -> String? {
        Suggestion.nearest(to: text, among: known).map { "did you mean \"\($0)\"?" }
    }
}
