internal import Foundation

/// A file that a hook needs could not be put in its place on this host.
public struct HookFileProblem: Error, Hashable, CustomStringConvertible {
    public let path: String
    /// As the system says it.
    public let reason: String

    public var description: String {
        "\(path) cannot be written for hooks: \(reason). Make room or put the folder in order, and try again."
    }

    /// Runs `body`, and says of what it throws which file it was about. Errors that are written for people stay.
    public static func explaining<T>(_ path: String, _ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch let error as POSIXError {
            throw HookFileProblem(path: path, reason: Self.text(error.code.rawValue))
        } catch let error as CocoaError {
            throw HookFileProblem(path: error.filePath ?? path, reason: Self.text(of: error))
        }
    }

    private static func text(_ code: Int32) -> String { String(cString: strerror(code)) }

    private static func text(of error: CocoaError) -> String {
        if let cause = error.underlying as? POSIXError { return text(cause.code.rawValue) }
        let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError
        if let cause, cause.domain == NSPOSIXErrorDomain { return text(Int32(cause.code)) }
        switch error.code {
        case .fileWriteFileExists: return text(EEXIST)
        case .fileWriteOutOfSpace: return text(ENOSPC)
        case .fileWriteNoPermission, .fileReadNoPermission: return text(EACCES)
        case .fileWriteVolumeReadOnly: return text(EROFS)
        case .fileNoSuchFile, .fileReadNoSuchFile: return text(ENOENT)
        default: return "the file system refuses (code \(error.code.rawValue))"
        }
    }
}
