internal import Model
internal import YAML

/// What can be said of plan files without one: made from the tables of their records.
public enum PlanFormat {
    /// The JSON Schema of plan files, with a line feed at its end.
    public static var schema: String {
        SchemaBook.schema(
            of: Plan.self, title: "maand-plan rollout plan",
            description:
                "A plan file. The schema helps to read one; maand-apply checks more than a schema can say, such as that every "
                + "byte is as maand-plan writes it."
        ).text
    }

    /// All records of a plan file with their fields, in Markdown: a heading and a table for each.
    public static var reference: String {
        SchemaBook.sections(of: Plan.self).map { section in
            "### \(section.title)\n\n\(section.meaning)\n\n" + section.forms.map(table).joined(separator: "\n")
        }.joined(separator: "\n")
    }

    private static func table(_ fields: [SchemaBook.Field]) -> String {
        let rows = fields.map { field in
            "| `\(field.name)`\(field.isOptional ? " (optional)" : "") | \(field.type) | \(field.meaning) |\n"
        }
        return "| field | value | meaning |\n|---|---|---|\n" + rows.joined()
    }
}
