internal import GRDB

extension CatalogError {
    /// What an error of GRDB, or of our own code inside a transaction, means for the catalog at `path`.
    init(_ error: any Error, path: String) {
        if let error = error as? CatalogError {
            self = error
            return
        }
        guard let error = error as? DatabaseError else {
            self = .failed(path: path, code: 0, reason: "\(error)")
            return
        }
        // Only memory shared through a file of its own grows by reserving room; a full disk shows there, too.
        if error.extendedResultCode == .SQLITE_IOERR_SHMSIZE {
            self = .diskFull(path: path)
            return
        }
        let reason = error.message ?? error.resultCode.description
        switch error.resultCode {
        case .SQLITE_FULL: self = .diskFull(path: path)
        // Our own statements are right for our own tables: these are not ours, or sums of their numbers overflow.
        case .SQLITE_CORRUPT, .SQLITE_ERROR, .SQLITE_MISMATCH: self = .corrupted(path: path, reason: reason)
        case .SQLITE_NOTADB: self = .notACatalog(path: path)
        case .SQLITE_BUSY, .SQLITE_LOCKED: self = .locked(path: path)
        case .SQLITE_READONLY: self = .readOnly(path: path)
        case .SQLITE_CONSTRAINT: self = .corrupted(path: path, reason: "it breaks a rule of its tables: \(reason)")
        case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH: self = .cannotOpen(path: path, reason: reason)
        default: self = .failed(path: path, code: Int(error.extendedResultCode.rawValue), reason: reason)
        }
    }
}
