import Model
import Windows
import YAML

@testable import Approvals
@testable import SSH
@testable import Templates
@testable import Workers

// Readers of texts that have a grammar of their own.

private struct FuzzValues: TemplateValues {
    var allocationNamespace: String { "maand/job/j/worker/w" }
    var workerNamespace: String { "maand/worker/w" }
    func namespace(ofJob job: String?) -> String { job ?? "maand/job/j" }
    func value(_ namespace: String, _ key: String) throws(TemplateRefusal) -> TemplateValue? {
        key.isEmpty ? nil : .text(key)
    }
    func setter(of key: String, in namespace: String) -> String? { nil }
    func keys(_ namespace: String) throws(TemplateRefusal) -> [String] { [namespace, "b"] }
    func secret(_ key: String) throws(TemplateRefusal) -> SecretReference {
        guard let job = JobName("j"), let fingerprint = SecretFingerprint(hex: String(repeating: "a", count: 64)),
            KeyValue.problem(ofKey: key) == nil
        else { throw TemplateRefusal("none") }
        return SecretReference(name: SecretName(job: job, key: key), fingerprint: fingerprint)
    }
}

func template(_ bytes: [UInt8]) {
    let data = TemplateValue.fields(["WorkerIP": .text("10.0.0.1"), "Labels": .texts(["a", "é"])])
    do throws(TemplateProblem) {
        guard case .sealed(let file) = try Template(bytes).render(data, values: FuzzValues()) else { return }
        precondition(SealedFile(bytes: file.bytes) == file, "a file with secrets is not read back")
        _ = try? file.render { _ in "value" }
    } catch {
        precondition(error.mark.line > 0 && !error.message.isEmpty, "no place")
    }
}

private let zones: ZoneDatabase = {
    let names = ["Europe/Berlin", "America/New_York", "Africa/Casablanca"]
    let known = Dictionary(uniqueKeysWithValues: names.map { ($0, ZoneDatabase.system.rules($0)) })
    precondition(known.values.allSatisfy { $0 != nil }, "there is no time-zone data on this machine")
    return .system
}()

func window(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    let now = Timestamp(seconds: 1_766_000_000)
    if let window = try? WindowText.parse(text, database: zones), let rules = zones.rules(window.zone) {
        let calendar = WindowCalendar(window, rules: rules)
        for opening in calendar.openings(from: now, limit: 5) {
            precondition(opening.from < opening.until && opening.until > now, "an opening is none")
        }
        _ = CalendarEvents(window, rules: rules, freezes: [], from: now)
    }
    do throws(InputFailure) {
        _ = try FreezeFile.contents(bytes, file: "f", database: zones)
    } catch {
        expectQuiet(error.description)
    }
    if let rules = ZoneRules(tzif: bytes) {
        _ = rules.text(now)
        _ = rules.instant(of: rules.local(now).time)
    }
}

func knownHosts(_ bytes: [UInt8]) {
    var hosts = KnownHosts()
    hosts.add(text: String(decoding: bytes, as: UTF8.self), file: "f")
    for host in ["w1", "10.0.0.1", String(repeating: "a", count: 60)] {
        for port: UInt16 in [22, 2222] { _ = hosts.fingerprints(for: SSHEndpoint(host: host, port: port, user: "u")) }
    }
}

func signers(_ bytes: [UInt8]) {
    let exact = AllowedSigners.exactLines(bytes, without: ["eve"])
    precondition(exact.count <= bytes.count, "lines were added")
    _ = RevocationList.problem(bytes)
}

func keys(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    if let label = PEM.label(of: text), let payload = PEM.payload(of: text, label: label) {
        _ = OpenSSHKeyFile(payload)
        precondition(PEM.payload(of: PEM.text(payload, label: label), label: label) == payload, "a key is changed")
    }
    _ = OpenSSHKeyFile(bytes)
    _ = SSHHostKey(blob: bytes).map { _ = $0.fingerprint }
    let fields = text.split(separator: " ")
    if fields.count > 1 { _ = SSHHostKey(type: String(fields[0]), base64: String(fields[1])) }
}

/// What a worker answers; the question's nonce is `n`.
func answer(_ bytes: [UInt8]) {
    guard let answer = WorkerAnswer(bytes, nonce: "n") else { return }
    expectQuiet { _ = try PreflightReport(answer, transport: LocalTransport(bucket: "b")) }
    expectQuiet { _ = try WorkerInventory(answer) }
    expectQuiet { _ = try AttemptReport(answer, expectedGeneration: "g") }
}

private func expectQuiet(_ read: () throws -> Void) {
    do { try read() } catch { expectQuiet("\(error)") }
}
