internal import Model
internal import Plans

/// What a reviewer sees of one file change beneath its path: lines, or a word on why there are none.
enum FileDiff: Equatable {
    /// Raw lines: escape them for where they are shown. `hidden` lines of the diff were left out at its end.
    case lines([Line], hidden: Int)
    /// In our own words, without anything of the file.
    case note(String)

    struct Line: Equatable {
        enum Kind: Equatable {
            /// `@@ -1,3 +1,4 @@`, or another remark on the lines around it.
            case mark
            case context, added, removed

            /// The first character of the line in a unified diff.
            var prefix: String {
                switch self {
                case .mark: ""
                case .context: " "
                case .added: "+"
                case .removed: "-"
                }
            }
        }

        let kind: Kind
        let text: Substring
    }

    /// The line as one of a unified diff, escaped for a terminal, cut.
    static func text(_ line: Line) -> String { line.kind.prefix + Escaping.line(line.text, limit: 300) }

    /// Lines that are shown.
    var lineCount: Int {
        switch self {
        case .lines(let lines, _): lines.count
        case .note: 0
        }
    }

    /// - Parameters:
    ///   - showsWhole: whether a file that is added or removed is shown, too.
    ///   - limit: most lines of the diff to keep.
    /// - Returns: nil where there is nothing to say beyond the change itself.
    init?(_ change: FileChange, _ contents: FileContents, showsWhole: Bool, limit: Int) {
        if change.from == change.to { return nil }
        guard showsWhole || change.from != nil && change.to != nil else { return nil }
        var sides: [Side] = []
        for digest in [change.from, change.to] {
            guard let digest else {
                sides.append(Side(lines: [], size: 0, isText: true, endsWithLineFeed: true))
                continue
            }
            switch contents.object(digest, at: change.path) {
            case nil:
                guard contents.isCut else { return nil }
                self = .note("not compared: there are too many changes for one review")
                return
            case .missing:
                self = .note("not compared: the content is not in the store")
                return
            case .large(let size): sides.append(Side(lines: [], size: size, isText: nil, endsWithLineFeed: true))
            case .bytes(let bytes): sides.append(Side(bytes))
            }
        }
        let from = change.from == nil ? "" : Wording.bytes(sides[0].size)
        let to = change.to == nil ? "" : Wording.bytes(sides[1].size)
        let sizes = [from, to].filter { !$0.isEmpty }.joined(separator: " -> ")
        self = Self.compare(sides[0], sides[1], sizes, limit: limit)
    }

    /// Of two contents that are at hand.
    init(_ old: [UInt8], _ new: [UInt8], limit: Int) {
        let sizes = "\(Wording.bytes(old.count)) -> \(Wording.bytes(new.count))"
        self = Self.compare(Side(old), Side(new), sizes, limit: limit)
    }

    private static func compare(_ old: Side, _ new: Side, _ sizes: String, limit: Int) -> FileDiff {
        if old.isText == false || new.isText == false { return .note("binary, \(sizes)") }
        guard old.isText == true, new.isText == true else { return .note("too large to show, \(sizes)") }
        guard let diff = LineDiff(old.lines, new.lines) else {
            return .note("too different to show line by line, \(sizes)")
        }
        var lines: [Line] = []
        var hidden = 0
        func add(_ kind: Line.Kind, _ text: Substring) {
            if lines.count < limit { lines.append(Line(kind: kind, text: text)) } else { hidden += 1 }
        }
        let (oldText, newText) = (PrivateKeys.masked(old.lines), PrivateKeys.masked(new.lines))
        for hunk in diff.hunks {
            add(.mark, "@@ -\(hunk.oldStart),\(hunk.oldCount) +\(hunk.newStart),\(hunk.newCount) @@")
            for line in hunk.lines {
                let isOld = line.kind == .removed
                let side = isOld ? old : new
                switch line.kind {
                case .context: add(.context, newText[line.index])
                case .added: add(.added, newText[line.index])
                case .removed: add(.removed, oldText[line.index])
                }
                if line.index == side.lines.count - 1, !side.endsWithLineFeed {
                    add(.mark, "\\ no line feed at the end of the file")
                }
            }
        }
        if diff.hunks.isEmpty, old.endsWithLineFeed != new.endsWithLineFeed {
            return .note(new.endsWithLineFeed ? "a line feed at its end is new" : "the line feed at its end is gone")
        }
        return .lines(lines, hidden: hidden)
    }

    /// One of the two files.
    private struct Side {
        let lines: [Substring]
        let size: Int
        /// Nil where nobody looked, because it is too large.
        let isText: Bool?
        let endsWithLineFeed: Bool

        init(lines: [Substring], size: Int, isText: Bool?, endsWithLineFeed: Bool) {
            self.lines = lines
            self.size = size
            self.isText = isText
            self.endsWithLineFeed = endsWithLineFeed
        }

        init(_ bytes: [UInt8]) {
            let ends = bytes.isEmpty || bytes.last == UInt8(ascii: "\n")
            guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
                self.init(lines: [], size: bytes.count, isText: false, endsWithLineFeed: ends)
                return
            }
            // By unicode scalars: CR LF is one Character, and the CR is part of the line.
            var lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map(Substring.init)
            if ends { lines.removeLast() }
            self.init(lines: lines, size: bytes.count, isText: true, endsWithLineFeed: ends)
        }
    }
}

/// Private keys in PEM form belong into no review, and into no job's folder either.
enum PrivateKeys {
    /// The lines, with those between `-----BEGIN … PRIVATE KEY-----` and its end replaced.
    static func masked(_ lines: [Substring]) -> [Substring] {
        var isInside = false
        return lines.map { line in
            if line.contains("-----END ") { isInside = false }
            defer {
                if line.contains("-----BEGIN "), line.contains("PRIVATE KEY") { isInside = true }
            }
            return isInside ? "(a line of a private key, not shown)" : line
        }
    }
}

/// Makes diffs, until there were enough for one review.
struct DiffReader {
    private let contents: FileContents
    private let whole: WholeFiles
    private let perFile: Int
    /// Lines that may follow.
    private var rest: Int
    /// The same change often leads from several states.
    private var known: [FileChange: FileDiff] = [:]

    /// - Parameters:
    ///   - perFile: lines of one file's diff that are shown.
    ///   - total: lines of all diffs together.
    init(_ contents: FileContents, whole: WholeFiles, perFile: Int, total: Int) {
        self.contents = contents
        self.whole = whole
        self.perFile = perFile
        rest = total
    }

    /// The files of a `_modules` folder that the review has to list; nil if they are not at hand.
    func modules(_ tree: Digest) -> [TreeEntry]? { contents.modules[tree] }

    /// Nil where there is nothing to say beyond the change itself.
    mutating func diff(of change: FileChange) -> FileDiff? {
        if contents.objects.isEmpty || change.from == change.to || !whole.includes(change) { return nil }
        if rest <= 0 { return .note("not shown: this review is long enough") }
        guard
            let diff = known[change] ?? FileDiff(change, contents, showsWhole: true, limit: min(perFile, rest))
        else { return nil }
        known[change] = diff
        if case .lines(let lines, _) = diff { rest -= lines.count }
        return diff
    }
}

/// All diffs of a plan's file changes, state by state.
struct FileDiffs {
    private struct Key: Hashable {
        let job: JobName
        let state: String
        let path: String
    }

    private var diffs: [Key: FileDiff] = [:]

    init(_ plan: Plan, _ reader: DiffReader) {
        var reader = reader
        for job in plan.waves.lazy.flatMap(\.jobs) {
            for state in job.changes {
                for change in state.value {
                    diffs[Key(job: job.job, state: state.name, path: change.path)] = reader.diff(of: change)
                }
            }
        }
    }

    func diff(of path: String, from state: String, in job: JobName) -> FileDiff? {
        diffs[Key(job: job, state: state, path: path)]
    }
}
