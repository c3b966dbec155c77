internal import Model
internal import Plans

/// Who is touched when: a row for each worker, a column for each batch, jobs and waves side by side.
///
/// Bounded, whatever the plan: neighbouring batches share a column where there are many, and workers beyond a limit are
/// counted. It is geometry in pixels; `Timeline+SVG.swift` draws it.
struct Timeline {
    /// A job of a wave, or the stops of a job before the first wave.
    struct Block {
        let title: String
        /// Index into `bands`.
        let band: Int
        let x: Int
        let width: Int
        let columns: Range<Int>
        /// Hooks run for the job as a whole, before its first batch or after its last.
        let hooksBefore, hooksAfter: Bool
    }

    /// A wave, or the stops.
    struct Band {
        let title: String
        let x: Int
        let width: Int
    }

    struct Column {
        let x: Int
        /// Number of its first batch within the batch's phase, from 1.
        let number: Int
        /// A gate is probed after one of them.
        let hasGate: Bool
        /// Hooks run for the allocations of one of them.
        let hasHooks: Bool
    }

    struct Cell {
        let row: Int
        let column: Int
        let action: LifecycleAction
        /// What is done: the action, or what stands in its place where the job's own commands act.
        let word: String
        /// `upgrade batch 2`, as the steps' ids have it; nil for stops.
        let place: String?
    }

    private(set) var bands: [Band] = []
    private(set) var blocks: [Block] = []
    private(set) var columns: [Column] = []
    private(set) var cells: [Cell] = []
    /// Workers that the plan touches, in the plan's order.
    private(set) var rows: [WorkerName] = []
    private(set) var hiddenRows = 0
    private(set) var hiddenBlocks = 0
    let columnWidth: Int
    /// Room within a column for its hooks' line beside that of its gate; 0 where no batch has both.
    let hookWidth: Int
    let rowHeight: Int

    var width: Int { (bands.last.map { $0.x + $0.width } ?? 0) + 1 }
    var height: Int { rows.count * rowHeight }

    static let maximumRows = 2000
    static let maximumCells = 30_000
    private static let maximumColumns = 600
    private static let maximumBlocks = 300
    private static let maximumColumnsOfBlock = 60
    /// On each side of a block's columns: lines of its hooks are there.
    static let margin = 6

    /// One job's batches, as they come.
    private struct Source {
        var title: String
        var band: Int
        var batches: [Batch]
        var hooksBefore = false
        var hooksAfter = false
    }

    private struct Batch {
        var phase: PhaseKind?
        var number = 1
        var gate = false
        var hooks = false
        var entries: [(worker: WorkerName, action: LifecycleAction, word: String)]
    }

    init(_ plan: Plan) {
        var (titles, sources) = Self.sources(plan)
        hiddenBlocks = max(0, sources.count - Self.maximumBlocks)
        sources.removeLast(hiddenBlocks)
        titles.removeLast(titles.count - ((sources.last?.band ?? -1) + 1))
        let perBlock = min(Self.maximumColumnsOfBlock, max(1, Self.maximumColumns / max(1, sources.count)))
        let total = sources.reduce(0) { $0 + min($1.batches.count, perBlock) }
        let hasBoth = sources.lazy.flatMap(\.batches).contains { $0.gate && $0.hooks }
        hookWidth = hasBoth ? 4 : 0
        columnWidth = (total <= 80 ? 20 : total <= 240 ? 12 : 7) + hookWidth

        let touched = Set(sources.lazy.flatMap(\.batches).flatMap(\.entries).map(\.worker))
        let all = plan.fleet.workers.map(\.worker).filter(touched.contains)
        rowHeight = all.count <= 200 ? 20 : 15
        var counts: [WorkerName: Int] = [:]
        for entry in sources.lazy.flatMap(\.batches).flatMap(\.entries) { counts[entry.worker, default: 0] += 1 }
        var cellCount = 0
        for worker in all.prefix(Self.maximumRows) {
            cellCount += counts[worker] ?? 0
            if cellCount > Self.maximumCells { break }
            rows.append(worker)
        }
        hiddenRows = all.count - rows.count
        let places = Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($0.element, $0.offset) })

        var x = 0
        for (band, title) in titles.enumerated() {
            let start = x
            for source in sources where source.band == band {
                x = add(source, at: x, columns: perBlock, places)
            }
            // Room for the title of a wave with one short job.
            x = max(x, start + 64)
            bands.append(Band(title: title, x: start, width: x - start))
        }
    }

    private static func sources(_ plan: Plan) -> ([String], [Source]) {
        var titles: [String] = []
        var sources: [Source] = []
        if !plan.stopsAreLast { addStops(of: plan, &titles, &sources) }
        for wave in plan.waves {
            titles.append("Wave \(wave.deploymentSequence)")
            for job in wave.jobs {
                var source = Source(
                    title: job.job.text, band: titles.count - 1, batches: [],
                    hooksBefore: !job.hooks(.preDeploy).isEmpty, hooksAfter: !job.hooks(.postDeploy).isEmpty)
                for phase in job.phases {
                    for (index, batch) in phase.batches.enumerated() {
                        let runs = batch.contains(where: job.runs)
                        let event: HookEvent = job.isJobControl ? .jobControl : .afterAllocationStarted
                        let isLast = index == phase.batches.count - 1
                        let gate = phase.gate.followsEachBatch && runs || phase.gate.followsPhase && isLast
                        source.batches.append(
                            Batch(
                                phase: phase.kind, number: index + 1, gate: gate,
                                hooks: runs && (!job.hooks(event).isEmpty || job.hasHooksAround),
                                entries: batch.map { ($0.worker, $0.action, job.word($0.action)) }))
                    }
                }
                // A job that only probes its gate, or completes.
                if source.batches.isEmpty { source.batches.append(Batch(gate: job.gateFirst, entries: [])) }
                sources.append(source)
            }
        }
        if plan.stopsAreLast { addStops(of: plan, &titles, &sources) }
        return (titles, sources)
    }

    private static func addStops(of plan: Plan, _ titles: inout [String], _ sources: inout [Source]) {
        if plan.reconcile.isEmpty { return }
        titles.append("Stops")
        for (place, group) in StopGroup.groups(plan.reconcile).enumerated() {
            let entries = group.workers.map {
                (worker: $0, action: LifecycleAction.stop, word: LifecycleAction.stop.rawValue)
            }
            let title = group.stop.allocation.job.text
            // Stops of one job act together, whatever their reasons are.
            if place > 0, sources.last?.title == title {
                sources[sources.count - 1].batches[0].entries += entries
            } else {
                let hasHooks = plan.stopHooks(of: group.stop.allocation.job) != nil
                sources.append(
                    Source(title: title, band: titles.count - 1, batches: [Batch(hooks: hasHooks, entries: entries)]))
            }
        }
    }

    /// - Returns: where the next block begins.
    private mutating func add(_ source: Source, at x: Int, columns limit: Int, _ places: [WorkerName: Int]) -> Int {
        let count = min(source.batches.count, limit)
        let first = columns.count
        for index in 0..<count {
            let range = source.batches.count * index / count..<source.batches.count * (index + 1) / count
            let batches = source.batches[range]
            columns.append(
                Column(
                    x: x + Self.margin + index * columnWidth, number: source.batches[range.lowerBound].number,
                    hasGate: batches.contains { $0.gate }, hasHooks: batches.contains { $0.hooks }))
            for batch in batches {
                let place = batch.phase.map { "\($0.rawValue) batch \(batch.number)" }
                for entry in batch.entries {
                    guard let row = places[entry.worker] else { continue }
                    cells.append(
                        Cell(
                            row: row, column: columns.count - 1, action: entry.action, word: entry.word, place: place))
                }
            }
        }
        let width = max(count * columnWidth + 2 * Self.margin, min(source.title.count * 7 + 14, 126))
        blocks.append(
            Block(
                title: source.title, band: source.band, x: x, width: width, columns: first..<columns.count,
                hooksBefore: source.hooksBefore, hooksAfter: source.hooksAfter))
        return x + width
    }
}
