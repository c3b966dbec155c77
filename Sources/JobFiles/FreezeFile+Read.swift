internal import Model
public import Windows
internal import YAML

extension FreezeFile {
    /// What the file of a workspace says; nothing where there is none.
    ///
    /// - Throws: `Files.Problem` where it cannot be read, `InputFailure` with every error found in it.
    public static func read(in workspace: String, database: ZoneDatabase) throws -> Contents {
        let bytes: [UInt8]
        do throws(Files.Problem) {
            bytes = try Files(below: workspace).read(name, limit: 1 << 20)
        } catch {
            guard error.isMissing else { throw error }
            if let other = Files(below: workspace).misspelt(for: [name]).first {
                throw Files.Problem(
                    "is missing. Did you mean it by \(other.found)? Rename that file, or move it elsewhere")
            }
            return .none
        }
        return try contents(bytes, file: "\(workspace)/\(name)", database: database)
    }
}
