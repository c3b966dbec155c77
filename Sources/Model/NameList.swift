extension Collection<String> {
    /// The names with commas, at most `limit` of them; the rest is counted: `a, b and 3 more`.
    public func listed(first limit: Int) -> String {
        let shown = prefix(limit).joined(separator: ", ")
        return count > limit ? "\(shown) and \(count - limit) more" : shown
    }
}
