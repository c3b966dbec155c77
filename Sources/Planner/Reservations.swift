internal import JobFiles
internal import Model
internal import TOMLKit
internal import YAML

/// `bucket.jobs.conf` or `bucket.jobs.<selector>.conf`: what jobs reserve in this environment.
struct Reservations {
    struct Entry {
        var memory: Quantity?
        var cpu: Quantity?
        /// Everything in the section, for hooks and templates.
        var settings: [String: String] = [:]
    }

    private var jobs: [String: Entry] = [:]
    private var file = ""
    private var lines: [Substring] = []

    /// Nothing is overridden.
    init() {}

    init(_ bytes: [UInt8], file: String, jobs known: Set<String>, into findings: inout Findings) {
        let table: TOMLTable
        let text: String
        do {
            text = try TOMLText.decode(bytes, file: file)
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            let mark = Mark(line: error.source.begin.line, column: error.source.begin.column)
            findings.add(
                InputFailure(Diagnostic(file: file, mark: mark, message: "this is not TOML: \(error.description)")))
            return
        } catch let error as InputFailure {
            findings.add(error)
            return
        } catch {
            findings.error(file, "this is not TOML")
            return
        }
        self.file = file
        lines = text.utf8.split(separator: 0x0a, omittingEmptySubsequences: false).map(Substring.init)
        for name in table.keys.sorted() {
            guard let section = table[name]?.table else {
                error(name, nil, "`\(name)` has to be a section [\(name)] with the settings of a job", &findings)
                continue
            }
            if !known.contains(name) {
                let nearest = Suggestion.nearest(to: name, among: known.sorted())
                findings.warn(
                    file, "there is no job \"\(name)\", so its section has no effect",
                    note: nearest.map { "did you mean [\($0)]?" })
            }
            // Other keys of a section are settings of the job's own.
            var entry = Entry(
                memory: quantity(section, .memory, job: name, &findings),
                cpu: quantity(section, .cpu, job: name, &findings))
            for key in section.keys.sorted() {
                if let problem = KeyValue.problem(ofKey: key) {
                    error(name, key, "[\(name)]: the name `\(key)` \(problem)", &findings)
                }
                entry.settings[key] = section[key].flatMap { TOMLText.variable($0) }
                if entry.settings[key] == nil {
                    error(name, key, "[\(name)]: `\(key)` has to be a text, a number, `true` or `false`", &findings)
                }
            }
            jobs[name] = entry
        }
    }

    /// The section of a job.
    func settings(of job: JobName) -> [String: String] { jobs[job.text]?.settings ?? [:] }

    /// What a job reserves on each of its workers: the override, within the manifest's bounds, else their maximum.
    func reservation(
        of job: JobName, _ bounds: Manifest.Bounds, _ unit: Quantity.Unit, into findings: inout Findings
    ) -> Quantity {
        let override: Quantity?
        switch unit {
        case .memory: override = jobs[job.text]?.memory
        case .cpu: override = jobs[job.text]?.cpu
        }
        guard let override else { return bounds.maximum }
        if !bounds.isUnset, override < bounds.minimum || bounds.maximum < override {
            error(
                job.text, unit.field,
                "[\(job)]: `\(unit.field)` is \(override.text(unit)), and the job's manifest allows "
                    + "\(bounds.minimum.text(unit)) to \(bounds.maximum.text(unit))", &findings)
        }
        return override
    }

    private func quantity(
        _ section: TOMLTable, _ unit: Quantity.Unit, job: String, _ findings: inout Findings
    ) -> Quantity? {
        guard let value = section[unit.field] else { return nil }
        if let text = value.string ?? value.int.map(String.init), let quantity = Quantity(text, unit) {
            return quantity
        }
        let units = unit.names.joined(separator: ", ")
        error(job, unit.field, "[\(job)]: `\(unit.field)` is a number with one of the units \(units)", &findings)
        return nil
    }

    /// At the line where the file has the section or its key, as far as that can be told from the text.
    private func error(_ section: String, _ key: String?, _ message: String, _ findings: inout Findings) {
        func trimmed(_ line: Substring) -> Substring { line.drop { $0 == " " || $0 == "\t" } }
        var line = lines.firstIndex { trimmed($0).hasPrefix("[\(section)]") || trimmed($0).hasPrefix(section) } ?? 0
        if let key { line = lines[line...].firstIndex { trimmed($0).hasPrefix(key) } ?? line }
        findings.add(
            InputFailure(Diagnostic(file: file, mark: Mark(line: line + 1, column: 1), message: message)))
    }
}
