internal import Model
internal import Plans
internal import YAML

extension Manifest {
    /// An entry of `certs`: a certificate for each worker of the job, or one for all.
    struct CertificateRequest: Sendable {
        /// Of its files.
        var name: String
        /// It may be empty.
        var commonName = ""
        /// Host names and addresses beside those of the workers.
        var names: [String] = []
        var isPKCS8 = false
        /// One for all workers.
        var isOne = false
        /// Where the manifest has it.
        var node: Node
    }
}

extension ManifestReader {
    /// Characters of a common name, at most: the limit of X.520.
    private static let commonNameLimit = 64

    /// `certs`: Maand's, and with `names` besides.
    func certificates(_ node: Node) -> [Manifest.CertificateRequest] {
        if reader.isNull(node) { return [] }
        return (reader.mapping(node)?.entries ?? []).compactMap { entry in
            guard isName(entry.name) else {
                reader.error(
                    entry.key, "job \(job): the name of a certificate is letters, digits and `_.-`, and not `ca`",
                    note: "on workers the file \(CertificateFile.folder)/NAME.crt is called by it")
                return nil
            }
            return request(entry.name, entry.key, entry.value)
        }.sorted { $0.name < $1.name }
    }

    private func isName(_ text: String) -> Bool {
        TargetName.isValid(text) && text.utf8.count <= 64 && text != CertificateFile.authorities.name
    }

    private func request(_ name: String, _ key: Node, _ node: Node) -> Manifest.CertificateRequest {
        var request = Manifest.CertificateRequest(name: name, node: key)
        if reader.isNull(node) { return request }
        guard var map = reader.mapping(node) else { return request }
        if let node = map.optional("subject"), !reader.isNull(node) { request.commonName = commonName(node) }
        if let node = map.optional("pkcs8") { request.isPKCS8 = reader.boolean(node) ?? false }
        if let node = map.optional("one") { request.isOne = reader.boolean(node) ?? false }
        if let node = map.optional("names") {
            for node in reader.sequence(node) ?? [] {
                guard let text = reader.string(node) else { continue }
                if HostText(text) == nil {
                    reader.error(node, "job \(job): \"\(text)\" is neither the name of a host nor an address")
                } else if !request.names.contains(text) {
                    request.names.append(text)
                }
            }
        }
        map.finish()
        return request
    }

    private func commonName(_ node: Node) -> String {
        guard let map = reader.mapping(node) else { return "" }
        var found = ""
        for entry in map.entries {
            guard entry.name == "common_name" else {
                reader.warn(
                    entry.key, "job \(job): a certificate's subject has just `common_name`; this has no effect")
                continue
            }
            guard let text = reader.string(entry.value) else { continue }
            if text.unicodeScalars.count > Self.commonNameLimit || KeyValue.problem(ofKey: "-" + text) != nil {
                reader.error(
                    entry.value,
                    "job \(job): a common name has at most \(Self.commonNameLimit) characters, all of them visible")
            }
            found = text
        }
        return found
    }
}
