internal import Model
internal import YAML

/// A record for a part of another value: some of its fields are in the file, and the others follow from them.
protocol RecordView: Record {
    associatedtype Whole: Equatable

    init(_ whole: Whole)

    /// The value, with what follows from the fields.
    var whole: Whole { get }
}

/// A value that is in the file as a view of it.
struct ViewType<View: RecordView>: FieldType {
    private let type = RecordType<View>()

    func read(_ node: Node, _ reader: Reader) -> View.Whole? { type.read(node, reader)?.whole }

    func write(_ value: View.Whole, as place: Place, to out: inout Emitter) {
        type.write(View(value), as: place, to: &out)
    }

    func json(_ value: View.Whole) -> JSON? { type.json(View(value)) }

    func schema(_ book: inout SchemaBook, isLowestLeftOut: Bool) -> JSON {
        type.schema(&book, isLowestLeftOut: isLowestLeftOut)
    }

    var words: String { type.words }

    func collect(_ name: String, _ value: View.Whole, into texts: inout FieldTexts) {
        type.collect(name, View(value), into: &texts)
    }
}
