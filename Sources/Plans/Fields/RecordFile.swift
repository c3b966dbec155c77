internal import Model
internal import YAML

/// A file whose whole contents are one record, in canonical YAML.
enum RecordFile {
    /// The number at the beginning of a file by which its format is known.
    struct Format {
        /// The field with the number.
        let field: String
        let number: Int
        /// What the format is called.
        let noun: String
        /// What the file is, such as `a plan`.
        let what: String
        /// What to do with a file of another format.
        let remedy: String
    }

    static func write(_ record: some Record) -> [UInt8] {
        var out = Emitter()
        var record = record
        record.visit(&out)
        return out.finish()
    }

    /// - Throws: `InputFailure` with every error found, each with file, line and column.
    static func read<Root: Record>(
        _ type: Root.Type, _ bytes: [UInt8], file: String, _ format: Format
    ) throws(InputFailure) -> Root {
        try CanonicalForm.require(bytes, beginWith: format.field, file: file, what: format.what)
        let root = try YAMLDocument.parse(bytes, file: file, limits: .plan)
        let reader = Reader(root: root, source: bytes, file: file)
        var record: Root?
        if hasFormat(format, root, reader) { record = RecordType<Root>().read(root, reader) }
        try reader.check()
        guard let record else { preconditionFailure("a record that cannot be read has an error") }
        return record
    }

    private static func hasFormat(_ format: Format, _ root: Node, _ reader: Reader) -> Bool {
        guard var map = reader.mapping(root), let node = map.required(format.field),
            let number = reader.integer(node, in: 0...Int.max)
        else { return false }
        if number == format.number { return true }
        reader.error(
            node, "this is \(format.noun) format \(number), and this program reads format \(format.number)",
            note: format.remedy)
        return false
    }
}
