internal import GRDB
internal import Model

/// One row that a query found in a table, whose values are checked as they are read: other programs that write into the file, or
/// has damaged it, may have put anything anywhere.
///
/// Every method takes a column's place in the query, and throws `CatalogError.illegalValue`, which names the table, the
/// column and the row, but never the value: it may be a secret.
struct CatalogRow {
    let row: Row
    let table: String
    /// Of the database.
    let path: String

    /// What a number may be where nothing says more: nothing overflows that is made of a few of them.
    static let numbers = 0...(1 << 48)
    /// Milliseconds since 1970 in the years 1 to 9999.
    private static let times: ClosedRange<Int64> = -62_135_596_800_000...253_402_300_799_999

    func text(_ column: Int) throws -> String {
        guard case .string(let text) = value(column).storage else { throw illegal(column, "a text") }
        return text
    }

    func integer(_ column: Int, in range: ClosedRange<Int> = numbers) throws -> Int {
        guard case .int64(let number) = value(column).storage else { throw illegal(column, "a whole number") }
        guard let number = Int(exactly: number), range.contains(number) else {
            throw illegal(column, "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func run(_ column: Int) throws -> RunID { RunID(try integer(column, in: 1...Self.numbers.upperBound)) }

    func flag(_ column: Int) throws -> Bool { try integer(column, in: 0...1) == 1 }

    func time(_ column: Int) throws -> Timestamp {
        guard case .int64(let milliseconds) = value(column).storage, Self.times.contains(milliseconds) else {
            throw illegal(column, "a time in milliseconds since 1970")
        }
        return Timestamp(milliseconds: milliseconds)
    }

    func bytes(_ column: Int) throws -> [UInt8] {
        guard case .blob(let data) = value(column).storage else { throw illegal(column, "a blob") }
        return [UInt8](data)
    }

    func digest(_ column: Int) throws -> Digest {
        guard let digest = Digest(hex: try text(column).utf8) else {
            throw illegal(column, "64 hexadecimal digits")
        }
        return digest
    }

    func fingerprint(_ column: Int) throws -> SecretFingerprint {
        guard let fingerprint = SecretFingerprint(hex: try text(column)) else {
            throw illegal(column, "64 hexadecimal digits")
        }
        return fingerprint
    }

    func name<Kind>(_ column: Int) throws -> Name<Kind> {
        guard let name = Name<Kind>(try text(column)) else { throw illegal(column, "a name") }
        return name
    }

    /// One of the words of a type.
    func word<Word: RawRepresentable<String>>(_ column: Int) throws -> Word {
        guard let word = Word(rawValue: try text(column)) else {
            throw illegal(column, "a word that this release knows")
        }
        return word
    }

    func names<Kind>(_ column: Int, separator: Character) throws -> [Name<Kind>] {
        try text(column).split(separator: separator).map { part in
            guard let name = Name<Kind>(String(part)) else { throw illegal(column, "a list of names") }
            return name
        }
    }

    func lines(_ column: Int) throws -> [String] { try text(column).split(separator: "\n").map(String.init) }

    /// The same row of a query on several tables, which names the row's own one in a column.
    func ofTable(namedBy column: Int) throws -> CatalogRow {
        CatalogRow(row: row, table: try text(column), path: path)
    }

    func isNull(_ column: Int) -> Bool { value(column).isNull }

    /// Nil where the column holds NULL, else what `read` makes of it.
    func optional<Value>(_ column: Int, _ read: (Int) throws -> Value) rethrows -> Value? {
        isNull(column) ? nil : try read(column)
    }

    /// - Parameter expected: what the column has to hold, as a noun.
    func illegal(_ column: Int, _ expected: String) -> CatalogError {
        .illegalValue(
            path: path, table: table, column: columnName(column), row: place(without: column), found: kind(of: column),
            expected: expected)
    }

    private func value(_ column: Int) -> DatabaseValue { row[column] }

    private func columnName(_ column: Int) -> String {
        row.columnNames[row.columnNames.index(row.columnNames.startIndex, offsetBy: column)]
    }

    private func kind(of column: Int) -> String {
        switch value(column).storage {
        case .null: "NULL"
        case .int64(let number): "the number \(number)"
        case .double: "a number with a point"
        case .string: "a text"
        case .blob: "a blob"
        }
    }

    /// The first columns by which a person finds the row; queries begin with those of a table's key.
    private func place(without column: Int) -> String {
        var parts: [String] = []
        for other in 0..<row.count where other != column && parts.count < 3 {
            switch value(other).storage {
            case .int64(let number): parts.append("\(columnName(other)) = \(number)")
            case .string(let text): parts.append("\(columnName(other)) = \(String(text.prefix(80)).debugDescription)")
            case .null, .double, .blob: break
            }
        }
        return parts.joined(separator: ", ")
    }
}

extension Catalog {
    /// The rows of a query on one table.
    func rows(
        of table: String, _ db: Database, _ sql: String, _ arguments: StatementArguments = []
    ) throws -> [CatalogRow] {
        try Row.fetchAll(db.cachedStatement(sql: sql), arguments: arguments).map {
            CatalogRow(row: $0, table: table, path: path)
        }
    }

    /// The first row of a query that is made again and again; nil where there is none.
    func row(
        of table: String, _ statement: Statement, _ arguments: StatementArguments = []
    ) throws -> CatalogRow? {
        try Row.fetchOne(statement, arguments: arguments).map { CatalogRow(row: $0, table: table, path: path) }
    }

    /// Calls `body` with one row after the other; a row is gone when `body` returns.
    func eachRow(
        of table: String, _ db: Database, _ sql: String, _ arguments: StatementArguments = [],
        _ body: (CatalogRow) throws -> Void
    ) throws {
        let rows = try Row.fetchCursor(db.cachedStatement(sql: sql), arguments: arguments)
        while let row = try rows.next() { try body(CatalogRow(row: row, table: table, path: path)) }
    }
}
