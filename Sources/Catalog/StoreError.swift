public import Model
internal import Plans

/// Why the content store could not do what was asked. `description` says what happened, where, and what to do.
public enum StoreError: Error, Equatable, Sendable {
    /// The object's bytes are not those that its name promises.
    case altered(path: String, expected: Digest, actual: Digest)
    case missing(Digest, path: String)
    /// The file was changed after it was planned, or while it was copied.
    /// What it has instead is not told: the path may lead to something else by now.
    case sourceChanged(path: String, expected: Digest)
    /// What should be captured is not a regular file.
    case notAFile(path: String)
    case tooLarge(path: String, size: Int, limit: Int)
    /// The object is unaltered, but no tree manifest.
    case notATree(Digest)
    case diskFull(path: String)
    /// A system call failed.
    case failed(path: String, operation: String, reason: String)

    init(_ error: SystemError) {
        switch error.code {
        case 28, 122: self = .diskFull(path: error.path)  // ENOSPC, EDQUOT
        default: self = .failed(path: error.path, operation: error.operation, reason: error.message)
        }
    }
}

extension StoreError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .altered(let path, let expected, let actual):
            "the stored object \(path) was altered: it should have \(expected) and has \(actual). Nothing of it was "
                + "used. Remove it, and plan again in the workspace that the plan was made from."
        case .missing(let digest, let path):
            "the stored object \(digest) is missing (\(path)). Run this where the plan was made, copy the bucket's "
                + "`store/` from there, or plan again."
        case .sourceChanged(let path, let expected):
            "\(path) changed while it was read: it should have \(expected). Plan again."
        case .notAFile(let path): "\(path) is no longer a regular file. Plan again."
        case .tooLarge(let path, let size, let limit):
            "\(path) has \(size) bytes, more than the \(limit) that are allowed here."
        case .notATree(let digest): "the stored object \(digest) is not the list of a job's files. Plan again."
        case .diskFull(let path): "the disk is full at \(path). Free some space and run the same command again."
        case .failed(let path, let operation, let reason):
            "\(operation) of \(path) failed: \(reason). Check that the folder exists, its owner and its mode."
        }
    }
}
