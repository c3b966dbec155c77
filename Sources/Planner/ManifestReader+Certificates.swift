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
    var certificates: InputType<[Manifest.CertificateRequest]> {
        let blank = Manifest.CertificateRequest(name: "", node: reader.root)
        // The one that has another meaning is that of the authorities.
        let name = ValueDescription.text(
            "the name of a certificate",
            pattern: "^(?!\(CertificateFile.authorities.name)$)[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
        let requests = ValueDescription.object(table(blank).description).orNull
        return InputType(.map("name", keys: name, to: requests)) { node in
            (reader.mapping(node)?.entries ?? []).compactMap { entry in
                guard isName(entry.name) else {
                    reader.error(
                        entry.key, "job \(job): the name of a certificate is letters, digits and `_.-`, and not `ca`",
                        note: "on workers the file \(CertificateFile.folder)/NAME.crt is called by it")
                    return nil
                }
                let request = Manifest.CertificateRequest(name: entry.name, node: entry.key)
                return reader.isNull(entry.value) ? request : table(request).read(entry.value, reader)
            }.sorted { $0.name < $1.name }
        }
    }

    private func isName(_ text: String) -> Bool {
        TargetName.isValid(text) && text.utf8.count <= 64 && text != CertificateFile.authorities.name
    }

    /// The fields of an entry.
    ///
    /// - Parameter blank: the entry before it is read.
    private func table(_ blank: Manifest.CertificateRequest) -> InputTable<Manifest.CertificateRequest> {
        InputTable(
            "certificate", "A certificate for each worker of the job, or one for all.", blank: blank
        ) { fields in
            fields.optional("subject", \.commonName, subject, "The subject.")
            fields.optional("pkcs8", \.isPKCS8, .boolean, "Whether the key is PKCS #8.")
            fields.optional("one", \.isOne, .boolean, "Whether all workers of the job share it.")
            fields.optional(
                "names", \.names, names, "Host names and addresses that clients use besides those of the worker.")
        }
    }

    private var names: InputType<[String]> {
        InputType(.list(of: .filled("a host name or an address"))) { node in
            var names: [String] = []
            for node in reader.sequence(node) ?? [] {
                guard let text = reader.string(node) else { continue }
                if HostText(text) == nil {
                    reader.error(node, "job \(job): \"\(text)\" is neither the name of a host nor an address")
                } else if !names.contains(text) {
                    names.append(text)
                }
            }
            return names
        }
    }

    /// The common name.
    private var subject: InputType<String> {
        let commonName = InputType<String>(
            ValueDescription(
                "a text", [("type", .string("string")), ("maxLength", .int(Self.commonNameLimit))]), read: commonName)
        let table = InputTable("subject", "The subject of a certificate.", blank: "", isOpen: true) { fields in
            fields.optional("common_name", \.self, commonName, "The common name; it may be empty.")
        }
        return InputType(.object(table.description)) { node in
            let entries = reader.mapping(node)?.entries ?? []
            for entry in entries where entry.name != "common_name" {
                reader.warn(
                    entry.key, "job \(job): a certificate's subject has just `common_name`; this has no effect")
            }
            return entries.isEmpty ? "" : table.read(node, reader)
        }
    }

    private func commonName(_ node: Node) -> String? {
        guard let text = reader.string(node) else { return nil }
        if text.unicodeScalars.count > Self.commonNameLimit || KeyValue.problem(ofKey: "-" + text) != nil {
            reader.error(
                node, "job \(job): a common name has at most \(Self.commonNameLimit) characters, all of them visible")
        }
        return text
    }
}
