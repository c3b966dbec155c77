public import Model

extension FileChange: Record, FieldValue {
    static let title = "change"
    static let meaning = "What happens to one path of a job's folder."
    static let blank = FileChange(path: "", kind: .modified, from: nil, to: nil)

    mutating func visit(_ fields: inout some Fields) {
        fields.required("path", &path, .text(.path), "the path in the job's folder")
        fields.required("change", &kind, "`mode`: only the type or the executable bit differs")
        fields.optional("from", &from, "the digest before; missing if the path is added")
        fields.optional("to", &to, "the digest after; missing if the path is removed")
    }
}
