package import Model

extension JobName {
    /// Reads the names of an option such as `--jobs a,b`.
    ///
    /// - Parameter refusal: makes the error for the first part that is not a name.
    package static func list(_ text: String, refusal: (Substring) -> Failure) throws -> [JobName] {
        try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
            guard let name = JobName(String(part)) else { throw refusal(part) }
            return name
        }
    }
}
