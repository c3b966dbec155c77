internal import Model
internal import Plans

/// What happens when, and to which host, for drawing: jobs of a wave beside each other, each as a row of batches with what
/// comes between them; and a table of the hosts, in which hosts to which the same happens share a row.
///
/// Bounded, whatever the plan: equal batches are one box, and jobs, rows and columns beyond a limit are counted.
struct Schedule {
    /// A wave, the stops, or the batches of workers.
    struct Band {
        let title: String
        /// How its lanes follow each other.
        let note: String
        fileprivate(set) var lanes: [Lane]
    }

    /// A job.
    struct Lane {
        let title: Phrase
        let time: String
        let before: [Mark]
        fileprivate(set) var boxes: [Box]
        let after: [Mark]
    }

    /// A batch, or several equal ones.
    struct Box {
        let title: String
        let actions: [(action: LifecycleAction, text: String)]
        fileprivate(set) var hosts: Phrase
        /// What follows each of its batches.
        let marks: [Mark]
    }

    /// What comes between batches.
    enum Mark: Equatable {
        case gate
        case hooks(String)
        case wait(String)
    }

    /// Hosts to which the same happens.
    struct Row {
        fileprivate(set) var hosts: Phrase
        let count: Int
        /// One for each column; nil if nothing happens there.
        let cells: [String?]
    }

    private(set) var bands: [Band] = []
    /// Jobs that are not drawn.
    private(set) var hiddenJobs = 0
    /// A job or the stops of one, with the wave.
    private(set) var columns: [(band: String, title: String)] = []
    private(set) var rows: [Row] = []
    /// Hosts that are in no row.
    private(set) var hiddenHosts = 0

    static let maximumJobs = 200
    static let maximumColumns = 40
    static let maximumRows = 500
    /// Parts of a phase that tell one host from another.
    private static let maximumParts = 40

    private var cells: [WorkerName: [Int: String]] = [:]

    init(_ plan: Plan, _ times: ExpectedTimes) {
        if let workers = plan.work.workerBatches {
            addWorkers(workers, plan, times)
        } else {
            if !plan.stopsAreLast { addStops(plan, times) }
            for wave in plan.waves { addWave(wave, times) }
            if plan.stopsAreLast { addStops(plan, times) }
        }
        addRows(plan.fleet.workers.map(\.worker))
        cells = [:]
    }

    mutating func visit(_ body: (inout Phrase) -> Void) {
        for band in bands.indices {
            for lane in bands[band].lanes.indices {
                for box in bands[band].lanes[lane].boxes.indices { body(&bands[band].lanes[lane].boxes[box].hosts) }
            }
        }
        for index in rows.indices { body(&rows[index].hosts) }
    }

    // MARK: Bands

    private mutating func addWave(_ wave: Plan.Wave, _ times: ExpectedTimes) {
        let title = "Wave \(wave.deploymentSequence)"
        var lanes: [Lane] = []
        for job in wave.jobs {
            guard lanes.count + bands.reduce(0, { $0 + $1.lanes.count }) < Self.maximumJobs else {
                hiddenJobs += 1
                continue
            }
            let boxes = job.phases.flatMap { phase in
                BatchOutline(phase, of: job).items.map { Box($0, phase, job) }
            }
            lanes.append(
                Lane(
                    title: "\(job.job)", time: times.text(of: job.job),
                    before: (job.gateFirst == nil ? [] : [.gate]) + Mark.hooks(job, [.preDeploy]),
                    boxes: boxes,
                    after: (job.hasEndGate ? [.gate] : []) + Mark.hooks(job, [.postDeploy, .cli, .postBuild])))
            guard columns.count < Self.maximumColumns else { continue }
            columns.append((title, job.job.text))
            for phase in job.phases { note(phase, job) }
        }
        let note = wave.jobs.count > 1 ? "\(wave.jobs.count) jobs side by side" : ""
        bands.append(Band(title: title, note: note, lanes: lanes))
    }

    private mutating func note(_ phase: Plan.Phase, _ job: Plan.Job) {
        let batches = phase.batches
        let parts = min(batches.count, Self.maximumParts)
        for part in 0..<parts {
            let range = batches.count * part / parts..<batches.count * (part + 1) / parts
            let number =
                range.count == 1
                ? "batch \(range.lowerBound + 1)" : "batches \(range.lowerBound + 1)–\(range.upperBound)"
            for entry in batches[range].joined() {
                let word = entry.action == .run ? "run" : job.word(entry.action)
                let place = phase.kind == .recover ? "recover \(number)" : number
                cells[entry.worker, default: [:]][columns.count - 1] = "\(word), \(place)"
            }
        }
    }

    private mutating func addStops(_ plan: Plan, _ times: ExpectedTimes) {
        if plan.reconcile.isEmpty { return }
        var lanes: [Lane] = []
        for group in StopGroup.groups(plan.reconcile) {
            let job = group.stop.allocation.job
            let hooks = plan.stopHooks(of: job).map { _ in [Mark.hooks("hooks")] } ?? []
            let word = group.stop.end == .removed ? "stop and remove" : "stop"
            let box = Box(
                title: "at the same time", actions: [(.stop, "\(word) \(group.workers.count)")],
                hosts: WorkerList.phrase(group.workers), marks: hooks)
            lanes.append(Lane(title: "\(job)", time: times.textOfStops, before: [], boxes: [box], after: []))
            guard columns.count < Self.maximumColumns else { continue }
            columns.append(("Stops", job.text))
            for worker in group.workers { cells[worker, default: [:]][columns.count - 1] = word }
        }
        hiddenJobs += max(0, lanes.count - Self.maximumJobs)
        let note = lanes.count > 1 ? "one job after the other" : ""
        bands.append(Band(title: "Stops", note: note, lanes: Array(lanes.prefix(Self.maximumJobs))))
    }

    private mutating func addWorkers(_ workers: WorkerBatches, _ plan: Plan, _ times: ExpectedTimes) {
        let parts = min(workers.batches.count, Self.maximumParts)
        let isReboot = plan.kind == .reboot
        var marks: [Mark] = []
        if plan.waves.contains(where: { $0.jobs.contains { $0.healthCheck != nil } }) { marks.append(.gate) }
        if case .reboot(let reboot) = plan.work, reboot.rules.pauseSeconds > 0 {
            marks.append(.wait("pause \(Wording.duration(reboot.rules.pauseSeconds))"))
        }
        columns.append(("Hosts", isReboot ? "reboot" : "command"))
        var boxes: [Box] = []
        for part in 0..<parts {
            let range = workers.batches.count * part / parts..<workers.batches.count * (part + 1) / parts
            let number =
                range.count == 1
                ? "batch \(range.lowerBound + 1)" : "batches \(range.lowerBound + 1)–\(range.upperBound)"
            let own = Array(workers.batches[range].joined())
            boxes.append(
                Box(
                    title: number,
                    actions: [(isReboot ? .restart : .run, "\(isReboot ? "reboot" : "run") \(own.count)")],
                    hosts: WorkerList.phrase(own), marks: marks))
            for worker in own { cells[worker, default: [:]][0] = number }
        }
        let lane = Lane(
            title: isReboot ? "reboot" : "command", time: times.textOfAll, before: [], boxes: boxes, after: [])
        bands.append(Band(title: "Hosts", note: "", lanes: [lane]))
    }

    // MARK: Rows

    private mutating func addRows(_ workers: [WorkerName]) {
        var groups: [(cells: [Int: String], workers: [WorkerName])] = []
        var places: [[Int: String]: Int] = [:]
        for worker in workers {
            guard let own = cells[worker] else { continue }
            if let place = places[own] {
                groups[place].workers.append(worker)
            } else {
                places[own] = groups.count
                groups.append((own, [worker]))
            }
        }
        rows = groups.prefix(Self.maximumRows).map { group in
            Row(
                hosts: WorkerList.phrase(group.workers), count: group.workers.count,
                cells: columns.indices.map { group.cells[$0] })
        }
        hiddenHosts = groups.dropFirst(Self.maximumRows).reduce(0) { $0 + $1.workers.count }
    }
}

extension Schedule.Box {
    fileprivate init(_ item: BatchOutline.Item, _ phase: Plan.Phase, _ job: Plan.Job) {
        let kind = job.phases.count > 1 ? "\(phase.kind.rawValue), " : ""
        let each = item.each.map { ", \($0) at a time" } ?? ""
        title = "\(kind)\(item.each == nil ? "batch" : "batches") \(item.number)\(each)"
        actions = item.groups.map { group in
            (group.entry.action, "\(group.entry.action == .run ? "run" : group.word) \(group.workers.count)")
        }
        hosts = WorkerList.phrase(item.groups.flatMap(\.workers))
        let runs = item.groups.contains { job.runs($0.entry) }
        var marks: [Schedule.Mark] = []
        if runs {
            marks += Schedule.Mark.hooks(
                job, [job.isJobControl ? .jobControl : .afterAllocationStarted] + HookEvent.around)
        }
        let isLast = item.number.hasSuffix("\(phase.batches.count)")
        let gate = phase.gate.followsEachBatch && runs || phase.gate.followsPhase && isLast
        if gate { marks.append(.gate) }
        if job.batching.bakeSeconds > 0, gate || phase.gate == .none && runs {
            marks.append(.wait("bake \(Wording.duration(job.batching.bakeSeconds))"))
        }
        self.marks = marks
    }
}

extension Schedule.Mark {
    /// The hooks of a job at these events; empty if it has none.
    fileprivate static func hooks(_ job: Plan.Job, _ events: [HookEvent]) -> [Schedule.Mark] {
        let commands = events.flatMap(job.hooks).map(\.command)
        if commands.isEmpty { return [] }
        return [.hooks(commands.count == 1 ? "hook" : "\(Set(commands).count) hooks")]
    }
}
