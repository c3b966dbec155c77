internal import JobFiles
public import Model
public import Plans
internal import YAML

/// `workspace/secrets.toml`: secrets whose values somebody else keeps. Keys at the top are secrets of every job; a table has
/// those of one job, which come first.
///
/// ```toml
/// registry_password = { command = ["pass", "show", "registry"] }
///
/// [api]
/// db_password = { sops = "sealed/api.yaml", key = "db.password" }
/// ```
public struct ProvidedSecrets: Sendable {
    static let file = "secrets.toml"

    private var ofAll: [String: SecretProvider] = [:]
    private var ofJob: [String: [String: SecretProvider]] = [:]

    /// There are none.
    init() {}

    init(_ bytes: [UInt8], file: String, jobs known: Set<String>, into findings: inout Findings) {
        let table: TOMLTable
        do throws(InputFailure) {
            table = try TOMLDocument.parse(bytes, file: file)
        } catch {
            findings.add(error)
            return
        }
        var reading = Reading(file: file)
        for entry in table.entries {
            guard case .table(let inner) = entry.value else {
                reading.error(entry, "`\(entry.key)` has to say who gives the value, such as {file = \"...\"}")
                continue
            }
            let isJob =
                inner.entries.isEmpty || inner.entries.contains { if case .table = $0.value { true } else { false } }
            guard isJob else {
                ofAll[entry.key] = reading.provider(entry, inner)
                continue
            }
            if !known.contains(entry.key) {
                let nearest = Suggestion.nearest(to: entry.key, among: known.sorted())
                findings.warn(
                    file, "there is no job \"\(entry.key)\", so its secrets have no effect",
                    note: nearest.map { "did you mean [\($0)]?" })
            }
            for secret in inner.entries {
                guard case .table(let inner) = secret.value else {
                    reading.error(secret, "`\(secret.key)` has to say who gives the value, such as {file = \"...\"}")
                    continue
                }
                ofJob[entry.key, default: [:]][secret.key] = reading.provider(secret, inner)
            }
        }
        for error in reading.errors { findings.add(error) }
    }

    /// Who gives the value of a secret; nil if the catalog stores it.
    public func provider(of secret: SecretName) -> SecretProvider? {
        ofJob[secret.job.text]?[secret.key] ?? ofAll[secret.key]
    }

    /// Secrets of a job that somebody else keeps, sorted by key.
    public func secrets(of job: JobName) -> [(name: SecretName, provider: SecretProvider)] {
        let all = ofAll.merging(ofJob[job.text] ?? [:]) { _, own in own }
        return all.map { (SecretName(job: job, key: $0.key), $0.value) }.sorted { $0.name < $1.name }
    }

    /// Reads providers, and keeps what is wrong with them.
    private struct Reading {
        let file: String
        var errors: [InputFailure] = []

        mutating func error(_ entry: TOMLTable.Entry, _ message: String, note: String? = nil) {
            errors.append(InputFailure(Diagnostic(file: file, mark: entry.mark, message: message, note: note)))
        }

        mutating func provider(_ entry: TOMLTable.Entry, _ table: TOMLTable) -> SecretProvider? {
            if let problem = KeyValue.problem(ofKey: entry.key) {
                error(entry, "as the name of a secret, `\(entry.key)` \(problem)")
                return nil
            }
            let provider =
                switch table.keys {
                case ["command"]: texts(table["command"]).flatMap { SecretProvider(words: ["command"] + $0) }
                case ["file"]: text(table["file"]).flatMap { SecretProvider(words: ["file", $0]) }
                case ["sops"]: text(table["sops"]).flatMap { SecretProvider(words: ["sops", $0, ""]) }
                case ["key", "sops"]: pair(table, "sops")
                case ["key", "vault"]: pair(table, "vault")
                case _: nil as SecretProvider?
                }
            if provider == nil {
                error(
                    entry, "`\(entry.key)` has to say who gives the value",
                    note:
                        "{command = [\"PROGRAM\", \"ARGUMENT\"]}, {file = \"PATH\"}, {sops = \"FILE\", key = \"PLACE\"} or "
                        + "{vault = \"PATH\", key = \"KEY\"}")
            }
            return provider
        }

        private func pair(_ table: TOMLTable, _ kind: String) -> SecretProvider? {
            guard let place = text(table[kind]), let key = text(table["key"]) else { return nil }
            return SecretProvider(words: [kind, place, key])
        }

        private func text(_ entry: TOMLTable.Entry?) -> String? { entry?.value.text }

        private func texts(_ entry: TOMLTable.Entry?) -> [String]? {
            guard case .list(let values)? = entry?.value else { return nil }
            let texts = values.compactMap(\.text)
            return texts.count == values.count ? texts : nil
        }
    }
}

extension CatalogSnapshot {
    /// The fingerprint of a secret's value, stored or provided; nil if none is known.
    func fingerprint(of secret: SecretName, _ provided: ProvidedSecrets) -> SecretFingerprint? {
        provided.provider(of: secret) == nil ? fingerprint(of: secret) : jobs[secret.job]?.provided[secret.key]
    }
}
