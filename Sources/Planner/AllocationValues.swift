internal import Model
internal import Plans
internal import Templates
internal import YAML

/// What the templates of one allocation may ask for. One task uses it.
final class AllocationValues: TemplateValues {
    private let renderer: JobRenderer
    private let allocation: AllocationID
    /// By the texts of the namespaces: a loop may ask for thousands of keys of one.
    private var known: [String: [String: String]] = [:]

    init(renderer: JobRenderer, allocation: AllocationID) {
        self.renderer = renderer
        self.allocation = allocation
    }

    var allocationNamespace: String { KVNamespace.allocation(allocation).text }
    var workerNamespace: String { KVNamespace.worker(allocation.worker).text }
    func namespace(ofJob job: String?) -> String { "maand/job/\(job ?? allocation.job.text)" }

    func value(_ text: String, _ key: String) throws(TemplateRefusal) -> TemplateValue? {
        if let file = try certificate(behind: key, of: try namespace(text)) { return .secret(.secret(file)) }
        if case .secrets(let job) = try namespace(text) {
            return try reference(SecretName(job: job, key: key)).map { .secret(.secret($0)) }
        }
        return try values(text)[key].map { .text($0) }
    }

    func setter(of key: String, in namespace: String) -> String? {
        let known = (try? keys(namespace)) ?? []
        let nearest = Suggestion.nearest(to: key, among: known)
        let setter = KVNamespace(namespace).flatMap {
            KeySetter.text(of: key, in: $0, known: known, askedBy: renderer.job)
        }
        let parts = [nearest.map { "did you mean `\($0)`?" }, setter].compactMap(\.self)
        return parts.isEmpty ? nil : parts.joined(separator: " Or: ")
    }

    /// A file of certificates that Maand has among its keys.
    ///
    /// - Throws: `TemplateRefusal` if it is named as one, and is none of the job's.
    private func certificate(
        behind key: String, of namespace: KVNamespace
    ) throws(TemplateRefusal) -> SecretReference? {
        guard key.hasPrefix("\(CertificateFile.folder)/") else { return nil }
        guard let name = renderer.facts.certificate(behind: key, of: namespace, for: allocation.job) else {
            let job = renderer.facts.job(allocation.job)
            let known = ((job?.certificates ?? []) + (job?.sharedCertificates ?? [])).flatMap { name in
                CertificateFile.Part.allCases.map { CertificateFile(name: name, worker: nil, part: $0).path }
            }
            throw TemplateRefusal(
                "\(key) of \(namespace) is no certificate of the job",
                note: Suggestion.nearest(to: key, among: known).map { "did you mean `\($0)`?" }
                    ?? "`certs` in its manifest asks for certificates")
        }
        if let fingerprint = renderer.records[name.job]?.certificateFiles[name.key] {
            return SecretReference(name: name, fingerprint: fingerprint)
        }
        if name.key == CertificateFile.authorities.key, !renderer.job.hasAuthorities {
            throw TemplateRefusal(
                "the job has no \(key)",
                note: "with `\"ca\": true` in its manifest it gets the authorities' certificates")
        }
        if renderer.ignoresCertificates {
            return SecretFingerprint(hex: Digest.of([]).hex).map { SecretReference(name: name, fingerprint: $0) }
        }
        throw TemplateRefusal(
            "the certificate \(name) is missing",
            note: "`maand-plan certs issue` makes it, and so does `maand-plan deploy --issue-certs`")
    }

    func keys(_ text: String) throws(TemplateRefusal) -> [String] {
        var keys: [String]
        if case .secrets(let job) = try namespace(text) {
            let record = renderer.records[job] ?? JobRecord()
            let provided = renderer.provided.secrets(of: job).map(\.name.key)
            keys = Array(Set(record.secrets.keys).union(record.unknownSecrets).union(provided))
        } else {
            keys = Array(try values(text).keys)
        }
        keys.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return keys
    }

    func secret(_ key: String) throws(TemplateRefusal) -> SecretReference {
        let name = SecretName(job: allocation.job, key: key)
        if let reference = try reference(name) { return reference }
        let known = renderer.records[name.job]?.secrets.keys.sorted() ?? []
        let nearest = Suggestion.nearest(to: key, among: known).map { "did you mean `\($0)`? Or " } ?? ""
        throw TemplateRefusal(
            "there is no secret \(name)",
            note: nearest + (setter(of: key, in: name.namespace.text) ?? ""))
    }

    /// - Returns: nil if there is no such secret.
    private func reference(_ name: SecretName) throws(TemplateRefusal) -> SecretReference? {
        let record = renderer.records[name.job] ?? JobRecord()
        if let provider = renderer.provided.provider(of: name) {
            guard let fingerprint = record.provided[name.key] else {
                throw TemplateRefusal(
                    "nobody has asked for the secret \(name) yet, which \(provider) gives",
                    note: "`maand-plan prepare` asks, and records the fingerprint of the value")
            }
            return SecretReference(name: name, fingerprint: fingerprint)
        }
        if record.unknownSecrets.contains(name.key) {
            throw TemplateRefusal(
                "an earlier release has stored the secret \(name), and no fingerprint of its value is known",
                note:
                    "`maand-plan prepare` finds it out where the bucket's key is, and so does putting the secret again")
        }
        return record.secrets[name.key].map { SecretReference(name: name, fingerprint: $0) }
    }

    private func values(_ text: String) throws(TemplateRefusal) -> [String: String] {
        if let values = known[text] { return values }
        let values = try read(text)
        known[text] = values
        return values
    }

    private func namespace(_ text: String) throws(TemplateRefusal) -> KVNamespace {
        guard let namespace = KVNamespace(text), renderer.facts.isReadable(namespace, by: allocation) else {
            throw TemplateRefusal(
                "\(text) is not a namespace that the job \(allocation.job) may read", note: adviceOnNamespace(text))
        }
        return namespace
    }

    /// What to do about a namespace that the job may not read.
    private func adviceOnNamespace(_ text: String) -> String {
        let parts = text.split(separator: "/").map(String.init)
        guard let place = parts.firstIndex(of: "job"), place + 1 < parts.count else {
            return "of other jobs only those that its commands demand"
        }
        let (name, known) = (parts[place + 1], renderer.facts.jobs.map(\.job.text))
        if known.contains(name) {
            return "of other jobs only those that its commands demand: `demands` of a command can name the job \(name)"
        }
        let nearest = Suggestion.nearest(to: name, among: known).map { "; did you mean `\($0)`?" } ?? ""
        return "there is no job \(name)\(nearest)"
    }

    private func read(_ text: String) throws(TemplateRefusal) -> [String: String] {
        let facts = renderer.facts
        let namespace = try namespace(text)
        switch namespace {
        // Their values are not known here.
        case .secrets, .certificates: return [:]
        case .variables(let job): return variables(of: job)
        case .job(let name):
            guard let job = facts.job(name), var values = facts.values(in: namespace, bucket: renderer.bucket) else {
                return [:]
            }
            let order = facts.rolloutOrder(of: job, chosen: variables(of: name)[KeyValue.rolloutOrder])
            values[KeyValue.rolloutOrder] = order.map(\.text).joined(separator: ",")
            return values
        case .bucket, .workers, .worker, .tags, .allocation, .bucketVariables, .bucketJobVariables:
            return facts.values(in: namespace, bucket: renderer.bucket) ?? [:]
        }
    }

    /// What stands with the job's code comes before what is stored.
    private func variables(of job: JobName) -> [String: String] {
        (renderer.records[job]?.variables ?? [:]).merging(renderer.facts.job(job)?.variables ?? [:]) { $1 }
    }
}
