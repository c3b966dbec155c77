internal import JobFiles
internal import Model
internal import Plans
internal import YAML

/// `bucket.jobs.conf` or `bucket.jobs.<selector>.conf`: what jobs reserve in this environment.
struct Reservations {
    struct Entry {
        var memory: Quantity?
        var cpu: Quantity?
        /// Everything in the section, for hooks and templates.
        var settings: [String: String] = [:]
        /// Where the section's keys stand.
        var marks: [String: Mark] = [:]
    }

    private var jobs: [String: Entry] = [:]
    private var file = ""

    /// Nothing is overridden.
    init() {}

    init(_ bytes: [UInt8], file: String, jobs known: Set<String>, into findings: inout Findings) {
        self.file = file
        let table: TOMLTable
        do throws(InputFailure) {
            table = try TOMLDocument.parse(bytes, file: file)
        } catch {
            findings.add(error)
            return
        }
        for named in table.entries.sorted(by: { $0.key < $1.key }) {
            let name = named.key
            guard case .table(let section) = named.value else {
                error(named.mark, "`\(name)` has to be a section [\(name)] with the settings of a job", &findings)
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
            for (key, mark, value) in section.entries.map({ ($0.key, $0.mark, $0.value) }).sorted(by: { $0.0 < $1.0 }) {
                entry.marks[key] = mark
                if let problem = KeyValue.problem(ofKey: key) {
                    error(mark, "[\(name)]: the name `\(key)` \(problem)", &findings)
                }
                entry.settings[key] = value.variable
                if entry.settings[key] == nil {
                    error(mark, "[\(name)]: `\(key)` has to be a text, a number, `true` or `false`", &findings)
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
                jobs[job.text]?.marks[unit.field],
                "[\(job)]: `\(unit.field)` is \(override.text(unit)), and the job's manifest allows "
                    + "\(bounds.minimum.text(unit)) to \(bounds.maximum.text(unit))", &findings)
        }
        return override
    }

    private func quantity(
        _ section: TOMLTable, _ unit: Quantity.Unit, job: String, _ findings: inout Findings
    ) -> Quantity? {
        guard let entry = section[unit.field] else { return nil }
        if let text = entry.value.text ?? entry.value.integer.map(String.init), let quantity = Quantity(text, unit) {
            return quantity
        }
        let units = unit.names.joined(separator: ", ")
        error(entry.mark, "[\(job)]: `\(unit.field)` is a number with one of the units \(units)", &findings)
        return nil
    }

    private func error(_ mark: Mark?, _ message: String, _ findings: inout Findings) {
        findings.add(InputFailure(Diagnostic(file: file, mark: mark, message: message)))
    }
}
