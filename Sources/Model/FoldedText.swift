extension String {
    /// A label, a selector, or the name or value of a tag as they are compared: Maand trims them and writes them in lower case.
    public var foldedLabel: String { trimmingWhitespace.lowercased() }
}
