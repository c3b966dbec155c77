/// The tables of a TOML file while it is read: which may still grow, and by what.
struct TOMLTree {
    typealias Problem = TreeBuilder.Problem

    /// A part of a dotted key.
    struct Key {
        let text: String
        let mark: Mark
    }

    /// How a table came about, which says who may still add to it.
    private enum Origin {
        /// As a part of the name of a table below it: a header of its own may follow.
        case implied
        /// By its own header.
        case header
        /// As a part of a dotted key: further dotted keys may add to it.
        case dotted
        /// In braces: complete.
        case inline
    }

    private enum Slot {
        case value(TOMLValue)
        case table(Int)
        /// The tables of `[[…]]`: an index of `lists`.
        case tables(Int)
    }

    private struct Table {
        var origin: Origin
        var entries: [(key: Key, slot: Slot)] = []
        var places: [String: Int] = [:]
    }

    /// The table that keys go to.
    static let root = 0
    private var tables = [Table(origin: .header)]
    /// None is empty.
    private var lists: [[Int]] = []
    private var count = 0
    private let limits: InputLimits

    init(limits: InputLimits) { self.limits = limits }

    /// The whole file.
    func finished() -> TOMLTable { finished(Self.root) }

    /// Recurses as deep as tables are nested, which the depth of keys bounds.
    func finished(_ table: Int) -> TOMLTable {
        TOMLTable(
            tables[table].entries.map { key, slot in
                let value: TOMLValue
                switch slot {
                case .value(let scalar): value = scalar
                case .table(let index): value = .table(finished(index))
                case .tables(let list): value = .list(lists[list].map { .table(finished($0)) })
                }
                return TOMLTable.Entry(key: key.text, mark: key.mark, value: value)
            })
    }

    /// Counts a value or a key against the limit.
    mutating func countNode(at mark: Mark) throws(Problem) {
        count += 1
        if count > limits.nodes {
            throw Problem(mark: mark, message: "the file holds more than \(limits.nodes) values")
        }
    }

    /// A table in braces, which is open until it gets its place as a value.
    mutating func inlineTable() -> Int {
        tables.append(Table(origin: .inline))
        return tables.count - 1
    }

    /// The table that the header `[path]` names, or a new one of `[[path]]`.
    mutating func table(_ path: [Key], isElement: Bool) throws(Problem) -> Int {
        var table = Self.root
        for key in path.dropLast() {
            switch slot(key, in: table) {
            case nil: table = try add(.implied, key, to: table)
            case .table(let index) where tables[index].origin != .inline: table = index
            case .tables(let list): table = lists[list][lists[list].count - 1]
            case .table, .value: throw taken(key, in: table)
            }
        }
        guard let last = path.last else { return table }
        guard let found = slot(last, in: table) else {
            if !isElement { return try add(.header, last, to: table) }
            let index = try add(.header, last, to: table)
            tables[table].entries[tables[table].entries.count - 1].slot = .tables(lists.count)
            lists.append([index])
            return index
        }
        switch found {
        case .table(let index) where !isElement && tables[index].origin == .implied:
            tables[index].origin = .header
            return index
        case .tables(let list) where isElement:
            try countNode(at: last.mark)
            tables.append(Table(origin: .header))
            lists[list].append(tables.count - 1)
            return tables.count - 1
        case .table, .tables, .value: throw taken(last, in: table)
        }
    }

    /// Sets a key, dotted or not, of `table`.
    mutating func set(_ path: [Key], of table: Int, to value: TOMLValue) throws(Problem) {
        var table = table
        for key in path.dropLast() {
            switch slot(key, in: table) {
            case nil: table = try add(.dotted, key, to: table)
            case .table(let index) where tables[index].origin == .dotted || tables[index].origin == .implied:
                tables[index].origin = .dotted
                table = index
            case .table, .tables, .value: throw taken(key, in: table)
            }
        }
        guard let last = path.last else { return }
        if slot(last, in: table) != nil { throw taken(last, in: table) }
        try append(last, .value(value), to: table)
    }

    private func slot(_ key: Key, in table: Int) -> Slot? {
        tables[table].places[key.text].map { tables[table].entries[$0].slot }
    }

    private mutating func append(_ key: Key, _ slot: Slot, to table: Int) throws(Problem) {
        try countNode(at: key.mark)
        tables[table].places[key.text] = tables[table].entries.count
        tables[table].entries.append((key, slot))
    }

    private mutating func add(_ origin: Origin, _ key: Key, to table: Int) throws(Problem) -> Int {
        tables.append(Table(origin: origin))
        try append(key, .table(tables.count - 1), to: table)
        return tables.count - 1
    }

    private func taken(_ key: Key, in table: Int) -> Problem {
        guard let at = tables[table].places[key.text] else { return Problem(mark: key.mark, message: "") }
        let first = tables[table].entries[at].key
        // Swift's strings are equal in every spelling of Unicode.
        let isSpelledAlike = first.text.unicodeScalars.elementsEqual(key.text.unicodeScalars)
        return Problem(
            mark: key.mark,
            message: "the key \(VisibleText.quote(key.text)) is given twice"
                + (isSpelledAlike ? "" : ", in two spellings of Unicode"),
            note: "first at line \(first.mark.line), column \(first.mark.column)")
    }
}
