internal import Model
internal import Plans
internal import YAML

/// What can be said of the files of a workspace without one: made from the tables with which they are read.
public enum WorkspaceFormat {
    /// The JSON Schemas, each with a line feed at its end, by the names of the files without `.json`.
    public static var schemas: [String: String] {
        [
            "manifest": SchemaBook.document(
                manifest, title: "manifest.json",
                description: "A job: its version, the workers that it runs on, and how it is rolled out."
            ).text,
            "workers": SchemaBook.document(
                ValueDescription.list(of: .object(worker)), title: "workers.json",
                description: "The hosts of a bucket, in the order in which rollouts touch them."
            ).text,
            "disabled": SchemaBook.document(
                disabled, title: "disabled.json",
                description: "What must not run now: it is stopped once, and nothing is pushed to it."
            ).text,
        ]
    }

    /// The fields of each object of the files, in Markdown, by its name in the schemas.
    public static var tables: [String: String] {
        let sections = [manifest, worker, disabled].flatMap(SchemaBook.sections)
        return Dictionary(
            sections.map { ($0.title, $0.markdown(marksRequired: true)) }, uniquingKeysWith: { first, _ in first })
    }

    private static var manifest: ObjectDescription { ManifestReader(reader, job: .blank).table.description }
    private static var worker: ObjectDescription { WorkersReader(reader).table.description }
    private static var disabled: ObjectDescription { Disabled.table(reader).description }

    /// Of no file: the tables are the same for all.
    private static var reader: Reader {
        Reader(root: Node(.mapping([]), at: Mark(line: 1, column: 1)), source: [], file: "", rules: .go)
    }
}
