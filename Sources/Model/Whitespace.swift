extension String {
    /// Without the blanks and line ends at both ends, as Unicode knows them: what is done to a text that a hook stores.
    package var trimmingWhitespace: String {
        var rest = self[...]
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }
}
