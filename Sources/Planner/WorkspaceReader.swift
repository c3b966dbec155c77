internal import JobFiles
internal import Model
public import Plans
public import YAML

extension Workspace {
    /// Reads a workspace.
    ///
    /// Nothing is executed or written, and nothing below the folder is read through a symbolic link.
    ///
    /// - Parameters:
    ///   - folder: `workspace/` of the bucket; errors show paths that begin with it.
    ///   - configuration: chooses among `bucket.jobs*.conf`.
    /// - Throws: `InputFailure` with the errors of all files, as far as one does not hide another.
    public static func read(_ folder: String, _ configuration: BucketConfiguration) throws(InputFailure) -> Workspace {
        var reader = WorkspaceReader(folder: folder, configuration: configuration, files: Files(below: folder))
        return try reader.read()
    }
}

/// Reads the files of a workspace and checks what concerns more than one of them.
private struct WorkspaceReader {
    let folder: String
    let configuration: BucketConfiguration
    let files: Files
    var findings = Findings()
    /// One for each document, in the order in which errors are shown.
    var readers: [Reader] = []

    struct JobFile {
        var name: JobName
        var manifest: Manifest
        var content: JobFolder
        var hooks: JobHooks
        var reader: Reader
    }

    mutating func read() throws(InputFailure) -> Workspace {
        let hosts = document("workers.json").map { (reader: $0, workers: WorkersReader($0).workers()) }
        let workers = hosts?.workers.map(\.worker) ?? []
        let disabledReader = exists("disabled.json") ? document("disabled.json") : nil
        let disabled = disabledReader.map { Disabled($0) } ?? Disabled()
        let bucket = bucketVariables()
        let names = FileNames(files: files, workspace: folder)
        names.check(settings: configuration.jobSettingsFile, into: &findings)
        let jobs = jobFiles()
        let jobNames = Set(jobs.map(\.name.text))
        if let disabledReader {
            disabled.warnAboutUnknown(jobs: jobNames, workers: Set(workers.map(\.name.text)), in: disabledReader)
        }
        let demands = DemandGraph(
            jobs.map { .init(name: $0.name, manifest: $0.manifest, reader: $0.reader) }
        ).resolved()
        checkPorts(jobs)
        checkVenvs(jobs)
        if configuration.hookAPIPort == nil {
            for job in jobs { HookAddresses.check(job.name, job.content.tree(), files, folder, into: &findings) }
        }
        var result = jobs.map { job in
            Workspace.Job(
                name: job.name, manifest: job.manifest, content: job.content, hooks: job.hooks,
                deploymentSequence: demands[job.name]?.level ?? 0,
                demands: (demands[job.name]?.upstreams ?? []).sorted(),
                allocations: allocations(of: job, workers: workers, disabled: disabled),
                data: JobData(
                    variables: JobVariables.read(folder, job.name, into: &findings),
                    settings: JobVariables.readSettings(folder, job.name, into: &findings)),
                templates: ParsedTemplate.read(
                    job.content.templates, folder: "\(folder)/jobs/\(job.name)", into: &findings))
        }
        if let hosts {
            checkCapacity(&result, hosts.workers, hosts.reader)
            checkAddresses(hosts.workers, hosts.reader)
        }
        findings.add(configuration.warnings)
        for reader in readers { findings.add(reader) }
        let provided = providedSecrets(of: jobNames)
        try findings.check()
        return Workspace(
            folder: folder, workers: workers, jobs: result, variables: bucket.variables, portRange: bucket.ports,
            warnings: findings.warnings, provided: provided)
    }

    private mutating func providedSecrets(of jobs: Set<String>) -> ProvidedSecrets {
        guard exists(ProvidedSecrets.file), let bytes = bytes(ProvidedSecrets.file) else { return ProvidedSecrets() }
        return ProvidedSecrets(bytes, file: "\(folder)/\(ProvidedSecrets.file)", jobs: jobs, into: &findings)
    }

    // MARK: Files

    private func exists(_ name: String) -> Bool {
        do throws(Files.Problem) {
            _ = try files.kind(name)
            return true
        } catch {
            return !error.isMissing
        }
    }

    private mutating func bytes(_ name: String) -> [UInt8]? {
        do throws(Files.Problem) {
            return try files.read(name, limit: InputLimits.standard.bytes)
        } catch {
            findings.error(folder + "/" + name, error.isMissing ? "the file is missing" : error.message)
            return nil
        }
    }

    private mutating func document(_ name: String) -> Reader? { bytes(name).flatMap { document($0, name) } }

    private mutating func document(_ bytes: [UInt8], _ name: String) -> Reader? {
        let file = folder + "/" + name
        do throws(InputFailure) {
            let root = try JSONDocument.parse(bytes, file: file, limits: .standard)
            let reader = Reader(root: root, source: bytes, file: file, rules: .go)
            readers.append(reader)
            return reader
        } catch {
            findings.add(error)
            return nil
        }
    }

    /// `bucket.conf`: the variables of the bucket, among them where ports are assigned.
    private mutating func bucketVariables() -> (variables: [String: String], ports: ClosedRange<Int>) {
        var low = 30000
        var high = 39999
        var variables: [String: String] = [:]
        guard exists("bucket.conf"), let bytes = bytes("bucket.conf") else { return (variables, low...high) }
        do throws(InputFailure) {
            var reader = try TOMLReader(bytes, file: folder + "/bucket.conf")
            let range = reader.portRange()
            low = reader.bound("port_min") ?? range?.lowerBound ?? low
            high = reader.bound("port_max") ?? range?.upperBound ?? high
            if low > high { reader.error("port_min", "is above `port_max`") }
            variables = reader.variables()
            try reader.finish()
        } catch {
            findings.add(error)
        }
        return (variables, min(low, high)...max(low, high))
    }

    private mutating func jobFiles() -> [JobFile] {
        guard exists("jobs") else { return [] }
        var jobs: [JobFile] = []
        do throws(Files.Problem) {
            for bytes in try files.names(in: "jobs") {
                let text = String(decoding: bytes, as: UTF8.self)
                guard case .directory = try files.kind("jobs/" + text) else {
                    if !text.hasPrefix(".") { findings.warn("\(folder)/jobs/\(text)", "this is not a job's folder") }
                    continue
                }
                if text.hasPrefix(".") { continue }
                guard let name = JobName(text) else {
                    findings.error(
                        "\(folder)/jobs/\(text)", "this cannot be the name of a job",
                        note: "a name consists of letters, digits and `._:-`, and does not begin with `-`")
                    continue
                }
                FileNames(files: files, workspace: folder).check(ofJob: "jobs/\(name)", into: &findings)
                if isNoJob(name) {
                    findings.warn(
                        "\(folder)/jobs/\(text)",
                        "this folder has neither a manifest.json nor a Makefile, so it is no job")
                } else if let job = jobFile(name) {
                    jobs.append(job)
                }
            }
        } catch {
            findings.error(folder + "/jobs", error.message)
        }
        return jobs
    }

    /// Maand ignores folders without a manifest. One with a Makefile is taken for a job that has lost it.
    private func isNoJob(_ name: JobName) -> Bool {
        !["manifest.json", "Makefile", "Makefile.tpl"].contains { exists("jobs/\(name)/\($0)") }
    }

    private mutating func jobFile(_ name: JobName) -> JobFile? {
        let path = "jobs/\(name)"
        var content = JobFolder.read(name, of: folder, into: &findings)
        // Of two spellings of one name either does: they are reported.
        let tree = content.tree()
        let paths = Dictionary(tree.entries.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        guard let bytes = bytes(path + "/manifest.json") else { return nil }
        if let entry = paths["manifest.json"], entry.digest != Digest.of(bytes) {
            findings.error("\(folder)/\(path)/manifest.json", "the file changed while it was read", note: "plan again")
        }
        guard let reader = document(bytes, path + "/manifest.json") else { return nil }
        let manifest = ManifestReader(reader, job: name).manifest()
        content.apply(manifest.fileModes)
        let hooks = JobHooks(manifest, job: name, tree: tree, reader)
        func hasFile(_ file: String) -> Bool { paths[file] != nil || content.templates.contains { $0.path == file } }
        let hasMakefile = hasFile("Makefile")
        for other in ["GNUmakefile", "makefile"] where hasMakefile && hasFile(other) {
            findings.error(
                "\(folder)/\(path)/\(other)",
                "job \(name) has two makefiles: make reads \(other) if it is there, and reviewers look at Makefile",
                note: "keep the Makefile and remove \(other), or include it from the Makefile under another name")
        }
        if !hasMakefile, hooks[.jobControl].isEmpty {
            findings.error(
                "\(folder)/\(path)", "job \(name) has no Makefile", note: "its targets start and stop the job")
        }
        if let node = manifest.healthCheckNode, !manifest.hasChecks, hooks[.healthCheck].isEmpty {
            reader.warn(node, "job \(name): health_check has no checks, so the job has no gate")
        }
        checkCertificates(manifest, content, "\(folder)/\(path)")
        return JobFile(name: name, manifest: manifest, content: content, hooks: hooks, reader: reader)
    }

    /// Files of certificates are made by planning, and the job has none of its own at their places.
    private mutating func checkCertificates(_ manifest: Manifest, _ content: JobFolder, _ path: String) {
        guard manifest.wantsAuthorities || !manifest.certificates.isEmpty else { return }
        let files = content.tree().entries.filter { $0.kind != .emptyDirectory }.map(\.path)
        let made = manifest.certificates.flatMap { request in
            CertificateFile.Part.allCases.map { CertificateFile(name: request.name, worker: nil, part: $0).path }
        }
        let taken = made + [CertificateFile.authorities.path]
        for own in files + content.templates.map(\.path) {
            if own == CertificateFile.folder {
                findings.error("\(path)/\(own)", "`certs` is no folder, and certificates of the job belong there")
            } else if let file = taken.first(where: { own == $0 || own.hasPrefix($0 + "/") }) {
                findings.error(
                    "\(path)/\(own)",
                    "\(file) is made of the entry of `certs` with this name, and cannot be the job's, too",
                    note: "remove it, or give the entry another name")
            }
        }
    }

    // MARK: Checks across files

    private func allocations(
        of job: JobFile, workers: [Workspace.Worker], disabled: Disabled
    ) -> [Workspace.Allocation] {
        let selectors = job.manifest.selectors
        let allocations = workers.indices.filter { selectors.allSatisfy(workers[$0].labels.contains) }.map {
            Workspace.Allocation(
                worker: $0, isDisabled: disabled.contains(job: job.name, worker: workers[$0].name))
        }
        if let node = job.manifest.minimumNode, allocations.count < job.manifest.minimumAllocations {
            job.reader.error(
                node,
                "job \(job.name) needs \(job.manifest.minimumAllocations) allocations, and has \(allocations.count)",
                note: "workers with the labels \(selectors.joined(separator: ", ")) count, disabled ones too")
        }
        UnmatchedSelectors.warn(job.name, job.manifest, workers, job.reader)
        if let tag = job.manifest.spread, let node = job.manifest.spreadNode, !allocations.isEmpty,
            !allocations.contains(where: { workers[$0.worker].tags[tag] != nil })
        {
            let known = Set(workers.flatMap(\.tags.keys)).sorted()
            job.reader.error(
                node, "job \(job.name): no worker of the job has the tag \"\(tag)\"",
                note: Suggestion.nearest(to: tag, among: known).map { "did you mean \"\($0)\"?" })
        }
        return allocations
    }

    /// What is in a virtual environment no plan binds, and no review shows.
    private mutating func checkVenvs(_ jobs: [JobFile]) {
        let affected = jobs.filter {
            !$0.content.venvs.isEmpty && $0.hooks.usePython && configuration.hookVenvs[$0.name] == nil
        }
        for job in affected {
            findings.error(
                "\(folder)/jobs/\(job.name)/\(job.content.venvs[0])",
                "job \(job.name): hooks never run with a virtual environment of the workspace, since no review shows it",
                note: configuration.adviceOnVenvs(of: affected.map(\.name)))
        }
    }

    private func checkPorts(_ jobs: [JobFile]) {
        var users: [Int: (job: JobName, port: String)] = [:]
        var owners: [String: JobName] = [:]
        for job in jobs {
            for port in job.manifest.ports {
                if let owner = owners.updateValue(job.name, forKey: port.name) {
                    job.reader.warn(
                        port.node,
                        "job \(job.name): job \(owner) has a port \(port.name), too, and `maand/bucket` has one key of this name",
                        note: "give the ports names of their own, such as \(job.name)_\(port.name)")
                }
                guard let number = port.number else { continue }
                if let user = users[number] {
                    job.reader.error(
                        port.node,
                        "job \(job.name): port \(number) (\(port.name)) is also \(user.port) of job \(user.job)",
                        note: "in a bucket every port is used once")
                } else {
                    users[number] = (job.name, port.name)
                }
            }
        }
    }

    /// Over ssh an address and a port are one machine, on which two workers would share their folders and receipts.
    private func checkAddresses(_ workers: [(worker: Workspace.Worker, node: Node)], _ reader: Reader) {
        guard configuration.transport == .ssh else { return }
        struct Place: Hashable {
            var address: String
            var port: Int
        }
        var seen: [Place: (worker: Workspace.Worker, node: Node)] = [:]
        for (worker, node) in workers {
            let place = Place(address: worker.address.lowercased(), port: worker.port ?? configuration.sshPort)
            if let first = seen[place] {
                reader.error(
                    node,
                    "the workers \(first.worker.name) and \(worker.name) are one machine: both are reached at "
                        + "\(worker.address) port \(place.port)",
                    note: "the first one is in line \(first.node.mark.line); keep one, or correct `address` or `port`")
            } else {
                seen[place] = (worker, node)
            }
        }
    }

    private mutating func checkCapacity(
        _ jobs: inout [Workspace.Job], _ workers: [(worker: Workspace.Worker, node: Node)], _ reader: Reader
    ) {
        let name = configuration.jobSettingsFile
        let file = folder + "/" + name
        var reservations = Reservations()
        if exists(name), let bytes = bytes(name) {
            reservations = Reservations(bytes, file: file, jobs: Set(jobs.map(\.name.text)), into: &findings)
        } else if !configuration.jobConfigSelector.isEmpty {
            findings.error(file, "the file is missing", note: "`job_config_selector` in maand.conf names it")
        }
        var memory = [Quantity](repeating: .zero, count: workers.count)
        var cpu = memory
        for (index, job) in jobs.enumerated() {
            let memoryEach = reservations.reservation(of: job.name, job.manifest.memory, .memory, into: &findings)
            let cpuEach = reservations.reservation(of: job.name, job.manifest.cpu, .cpu, into: &findings)
            jobs[index].data.memory = memoryEach
            jobs[index].data.cpu = cpuEach
            // What the environment says comes first.
            jobs[index].data.settings.merge(reservations.settings(of: job.name)) { _, environment in environment }
            if memoryEach == .zero, cpuEach == .zero { continue }
            for allocation in job.allocations where !allocation.isDisabled {
                memory[allocation.worker] += memoryEach
                cpu[allocation.worker] += cpuEach
            }
        }
        for index in workers.indices {
            let (worker, node) = workers[index]
            for (unit, needed, available) in [
                (Quantity.Unit.memory, memory[index], worker.memory), (.cpu, cpu[index], worker.cpu),
            ] where needed > available ?? .zero {
                reader.error(
                    node,
                    "worker \(worker.name) has \(available?.text(unit) ?? "no declared amount") of \(unit.field), "
                        + "and its jobs reserve \(needed.text(unit))",
                    note: available == nil ? "give the worker `\(unit.field)`" : nil)
            }
        }
    }
}

extension TOMLReader {
    /// `port_range` of the second generation of Maand: two numbers with a comma between.
    fileprivate mutating func portRange() -> ClosedRange<Int>? {
        guard let text = variable("port_range")?.trimmingWhitespace, !text.isEmpty else { return nil }
        let numbers = text.split(separator: ",").map { Int(String($0).trimmingWhitespace) ?? 0 }
        guard numbers.count == 2, numbers.allSatisfy(Plan.portRange.contains), numbers[0] <= numbers[1] else {
            error("port_range", "has to be the first and the last port", note: "such as \"30000,39999\"")
            return nil
        }
        return numbers[0]...numbers[1]
    }

    /// `port_min` or `port_max`; an empty text is none.
    fileprivate mutating func bound(_ key: String) -> Int? {
        guard let text = variable(key)?.trimmingWhitespace, !text.isEmpty else { return nil }
        guard let number = Int(text), Plan.portRange.contains(number) else {
            error(
                key, "has to be a whole number from \(Plan.portRange.lowerBound) to \(Plan.portRange.upperBound)")
            return nil
        }
        return number
    }
}
