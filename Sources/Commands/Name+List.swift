package import Model

extension Name {
    /// Reads the names of an option such as `--jobs a,b`.
    ///
    /// - Parameter refusal: makes the error for the first part that is not a name.
    package static func list(_ text: String, refusal: (Substring) -> Failure) throws -> [Self] {
        try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
            guard let name = Self(String(part)) else { throw refusal(part) }
            return name
        }
    }
}
