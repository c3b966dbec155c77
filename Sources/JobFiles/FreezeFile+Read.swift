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
            if error.isMissing { return .none }
            throw error
        }
        return try contents(bytes, file: "\(workspace)/\(name)", database: database)
    }
}
