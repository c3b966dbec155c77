internal import Model
internal import Plans

/// The file changes of a job as a reviewer reads them: what workers have in common is told once, and of what a template
/// made for each of many workers one is shown and the others are counted.
struct FileOutline {
    /// Files that change on the same workers.
    struct Section {
        /// `files (new)`, with the workers where others act, too.
        private(set) var title: Phrase
        private(set) var items: [Item]

        mutating func visit(_ body: (inout Phrase) -> Void) {
            body(&title)
            for index in items.indices { items[index].visit(body) }
        }
    }

    /// A path and what becomes of it.
    struct Item {
        let path: String
        let kind: ChangeKind
        /// What else belongs on the line of the path.
        fileprivate(set) var notes: [Phrase]
        fileprivate(set) var samples: [Sample]
        /// Workers on which the path changes likewise, with contents of which none is shown.
        let others: Int

        fileprivate mutating func visit(_ body: (inout Phrase) -> Void) {
            for index in notes.indices { body(&notes[index]) }
            for index in samples.indices {
                if var workers = samples[index].workers {
                    body(&workers)
                    samples[index].workers = workers
                }
            }
        }

        /// Over these workers, in our own words.
        var othersText: String { "likewise on \(Wording.count(others, "more worker")), which --format json shows" }
    }

    /// What is shown of one content.
    struct Sample {
        let change: FileChange
        /// The workers with it, where others have another one.
        fileprivate(set) var workers: Phrase?
        let diff: FileDiff
    }

    private(set) var sections: [Section]

    /// Contents of one path up to which each is shown.
    private static let fewContents = 3

    /// - Parameter diffs: gives the diffs, as long as there is room for more.
    init(_ job: Plan.Job, _ diffs: inout DiffReader) {
        let (groups, acting) = ChangeGroup.groups(job)
        // What is the same for several groups is told for all of them.
        var merged: [(file: ChangeGroup.File, groups: [Int])] = []
        var places: [FileKey: Int] = [:]
        for (index, group) in groups.enumerated() {
            for file in group.files {
                let key = FileKey(file)
                if let place = places[key] {
                    for variant in file.variants { merged[place].file.add(variant.change, on: variant.workers) }
                    merged[place].groups.append(index)
                } else {
                    places[key] = merged.count
                    merged.append((file, [index]))
                }
            }
        }
        var sections: [[Int]: [ChangeGroup.File]] = [:]
        for (file, groups) in merged { sections[groups, default: []].append(file) }
        let order = sections.keys.sorted {
            $0.count != $1.count ? $0.count > $1.count : $0.lexicographicallyPrecedes($1)
        }
        self.sections = order.map { indexes in
            let own = indexes.map { groups[$0] }
            let workers = own.flatMap(\.workers).sorted()
            let on: Phrase =
                if workers.isEmpty || own.count == 1 && workers.count == acting.count {
                    ""
                } else if workers.count == acting.count {
                    ", on all \(workers.count) workers"
                } else {
                    ", on \(WorkerList.phrase(workers.map { acting[$0] }))"
                }
            let title = Self.title(own.map(\.origin), of: groups.count)
            let files = (sections[indexes] ?? []).sorted(by: Self.precedes)
            return Section(
                title: title + on,
                items: files.map { Item($0, onAll: workers.count, acting, fewContents: Self.fewContents, &diffs) })
        }
        if job.content.isEmpty, let modules = job.hooks?.modules, let section = Self.modules(modules, &diffs) {
            self.sections.append(section)
        }
    }

    /// The files from which hooks run, of a job of which the plan pushes no file; nil if they are not at hand.
    static func modules(_ tree: Digest, _ diffs: inout DiffReader) -> Section? {
        guard let entries = diffs.modules(tree) else { return nil }
        return Section(
            title: "files from which they run",
            items: entries.map { entry in
                let change = FileChange(path: entry.path, kind: .added, from: nil, to: entry.digest)
                let diff = diffs.diff(of: change)
                return Item(
                    path: entry.path, kind: .added, notes: ["\(own: entry.digest.short)"],
                    samples: diff.map { [Sample(change: change, workers: nil, diff: $0)] } ?? [], others: 0)
            })
    }

    private static func title(_ origins: [ChangeGroup.Origin], of count: Int) -> Phrase {
        if count == 1, let origin = origins.first, !origin.isNew, !origin.isUnfinished { return "files" }
        if count > 1, origins.count == count { return "files" }
        return "files (\(origins.map(\.phrase).list("; ")))"
    }

    /// By path, after the code that runs on the controller, so that no limit of a review hides it.
    private static func precedes(_ a: ChangeGroup.File, _ b: ChangeGroup.File) -> Bool {
        let (isModule, isOther) = (WholeFiles.isModule(a.path), WholeFiles.isModule(b.path))
        if isModule != isOther { return isModule }
        if a.path != b.path { return a.path.utf8.lexicographicallyPrecedes(b.path.utf8) }
        return a.kind.rawValue < b.kind.rawValue
    }

    /// What makes files of two groups the same to a reviewer.
    private struct FileKey: Hashable {
        let path: String
        let kind: ChangeKind
        let changes: Set<FileChange>

        init(_ file: ChangeGroup.File) {
            path = file.path
            kind = file.kind
            changes = Set(file.variants.map(\.change))
        }
    }
}

extension FileOutline.Item {
    /// - Parameters:
    ///   - count: workers of the section.
    ///   - acting: what the file's workers are indexes of.
    fileprivate init(
        _ file: ChangeGroup.File, onAll count: Int, _ acting: [WorkerName], fewContents: Int, _ diffs: inout DiffReader
    ) {
        path = file.path
        kind = file.kind
        let workers = file.variants.flatMap(\.workers)
        var notes: [Phrase] = kind == .mode ? ["type or mode"] : []
        if workers.count < count { notes.append("on \(WorkerList.phrase(workers.sorted().map { acting[$0] }))") }
        if file.variants.count > 1 { notes.append(file.contentsPhrase(workers.count)) }
        self.notes = notes

        let isMany = file.variants.count > fewContents
        var samples: [(sample: FileOutline.Sample, workers: [Int])] = []
        for variant in file.variants.prefix(isMany ? 1 : fewContents) {
            guard let diff = diffs.diff(of: variant.change) else { continue }
            if let same = samples.firstIndex(where: { $0.sample.diff == diff }) {
                samples[same].workers += variant.workers
            } else {
                samples.append((.init(change: variant.change, workers: nil, diff: diff), variant.workers))
            }
        }
        others = isMany && !samples.isEmpty ? workers.count - samples.reduce(0) { $0 + $1.workers.count } : 0
        self.samples = samples.map { sample, workers in
            var sample = sample
            if file.variants.count > 1 {
                sample.workers = WorkerList.phrase(workers.sorted().map { acting[$0] })
            }
            return sample
        }
    }
}

/// The file changes from states that are alike to a reviewer: they have a version in common, and whether anything was
/// begun on top of it.
private struct ChangeGroup {
    struct Origin: Hashable {
        /// Empty where nothing was ever promoted.
        let version: String
        let isNew: Bool
        let isUnfinished: Bool

        init(_ state: FromState?) {
            isNew = state?.content == nil
            isUnfinished = state?.unfinished != nil
            version = isNew ? "" : state?.version ?? ""
        }

        var phrase: Phrase {
            let start: Phrase = isNew ? "new" : "from \(version)"
            return isUnfinished ? start + ", with an unfinished rollout on top" : start
        }
    }

    struct Variant {
        let change: FileChange
        /// Indexes into the acting workers.
        var workers: [Int]
    }

    struct File {
        let path: String
        let kind: ChangeKind
        /// One for each content before and after.
        private(set) var variants: [Variant] = []
        private var places: [FileChange: Int] = [:]

        init(path: String, kind: ChangeKind) {
            self.path = path
            self.kind = kind
        }

        mutating func add(_ change: FileChange, on workers: [Int]) {
            if let place = places[change] {
                variants[place].workers += workers
            } else {
                places[change] = variants.count
                variants.append(Variant(change: change, workers: workers))
            }
        }

        /// How many contents there are.
        func contentsPhrase(_ workers: Int) -> Phrase {
            // Where all end with one content, they differ in what they begin with.
            let from: Phrase = Set(variants.map(\.change.to)).count == 1 ? "from " : ""
            return variants.count == workers
                ? from + "another content on each of \(own: Wording.count(workers, "worker"))"
                : from + "\(own: Wording.count(variants.count, "content")) on \(own: Wording.count(workers, "worker"))"
        }
    }

    private struct Place: Hashable {
        let path: String
        let kind: ChangeKind
    }

    let origin: Origin
    /// Indexes into the acting workers.
    private(set) var workers: [Int] = []
    private(set) var files: [File] = []
    private var places: [Place: Int] = [:]

    private mutating func add(_ changes: [FileChange], on workers: [Int]) {
        self.workers += workers
        for change in changes {
            let place = Place(path: change.path, kind: change.kind)
            let index = places[place] ?? files.count
            if index == files.count {
                places[place] = index
                files.append(File(path: change.path, kind: change.kind))
            }
            files[index].add(change, on: workers)
        }
    }

    /// The groups in which anything changes, and the workers that act.
    static func groups(_ job: Plan.Job) -> (groups: [ChangeGroup], acting: [WorkerName]) {
        var acting: [WorkerName] = []
        var workers: [String: [Int]] = [:]
        for entry in job.entries {
            workers[entry.from, default: []].append(acting.count)
            acting.append(entry.worker)
        }
        let states = Dictionary(job.from.map { ($0.name, $0.value) }) { first, _ in first }
        var groups: [ChangeGroup] = []
        var places: [Origin: Int] = [:]
        for state in job.changes where !state.value.isEmpty {
            let origin = Origin(states[state.name])
            let index = places[origin] ?? groups.count
            if index == groups.count {
                places[origin] = index
                groups.append(ChangeGroup(origin: origin))
            }
            groups[index].add(state.value, on: workers[state.name] ?? [])
        }
        return (groups, acting)
    }

    private init(origin: Origin) { self.origin = origin }
}
