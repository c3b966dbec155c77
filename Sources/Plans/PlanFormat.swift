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
            "### \(section.title)\n\n\(section.meaning)\n\n" + section.markdown(marksRequired: false)
        }.joined(separator: "\n")
    }
}

extension SchemaBook.Section {
    /// A table of the fields for each form.
    ///
    /// - Parameter marksRequired: whether those that have to be there are marked, and not those that may be missing.
    package func markdown(marksRequired: Bool) -> String {
        forms.map { fields in
            let hasDefaults = fields.contains { $0.initial != nil }
            let head = hasDefaults ? ("| default |", "---|") : ("|", "")
            let rows = fields.map { field in
                let mark = field.isOptional == marksRequired ? "" : marksRequired ? " (required)" : " (optional)"
                let initial = field.initial.map { " `\($0.text.dropLast())` |" } ?? " |"
                return "| `\(field.name)`\(mark) | \(field.type) | \(field.meaning) |\(hasDefaults ? initial : "")\n"
            }
            return "| field | value | meaning \(head.0)\n|---|---|---|\(head.1)\n" + rows.joined()
        }.joined(separator: "\n")
    }
}
