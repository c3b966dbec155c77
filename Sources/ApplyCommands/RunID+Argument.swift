public import ArgumentParser
public import Model

extension RunID: ExpressibleByArgument {
    /// A run's number, as `status` and `history` show it.
    public init?(argument: String) {
        guard let number = Int(argument), number > 0 else { return nil }
        self.init(number)
    }
}
