internal import Foundation
internal import GRDB
internal import Glibc

extension Catalog {
    /// The database as it is on disk, with its log, read into memory: for a full disk, on which SQLite cannot make the file
    /// that it needs even for reading.
    ///
    /// - Returns: nil where it changed while it was copied: somebody writes it.
    /// - Throws: what keeps it from being copied.
    static func copyInMemory(_ path: String) throws -> DatabaseQueue? {
        // Whatever is elsewhere: memory first, then where temporary files are.
        let parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : NSTemporaryDirectory()
        var template = Array("\(parent)/maand-catalog-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw SystemError("mkdtemp", parent) }
        let folder = String(cString: made)
        let files = FileManager.default
        defer { try? files.removeItem(atPath: folder) }
        let before = stamps(of: path)
        for ending in ["", "-wal"] where access(path + ending, F_OK) == 0 {
            try files.copyItem(atPath: path + ending, toPath: "\(folder)/\(fileName)\(ending)")
        }
        guard stamps(of: path) == before else { return nil }
        let copy = try DatabaseQueue(path: "\(folder)/\(fileName)")
        let memory = try DatabaseQueue()
        try copy.backup(to: memory)
        try copy.close()
        return memory
    }

    /// By which a change of the database or its log shows.
    private static func stamps(of path: String) -> [Int] {
        ["", "-wal"].flatMap { ending in
            var status = stat()
            guard stat(path + ending, &status) == 0 else { return [-1] }
            return [Int(status.st_ino), Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
        }
    }
}
