internal import Glibc
public import Model

/// One apply per bucket at a time: a kernel lock on `apply.lock` that ends with the process, however it ends.
///
/// The lock belongs to the open file, which is close-on-exec: no command or daemon that the holder starts keeps it. It
/// is held until the value is dropped.
public final class BucketLock: Sendable {
    /// Name of the lock's file in the bucket's folder. The file stays; only the lock on it counts.
    public static let fileName = "apply.lock"

    /// What `state(in:)` finds.
    public enum State: Equatable, Sendable {
        case free
        /// `by` is nil where the holder did not write down who it is.
        case held(by: LockHolder?)
    }

    private let file: File
    /// The bucket's folder, locked as well: somebody may delete the lock's file.
    private let folder: File

    private init(_ file: consuming File, _ folder: consuming File) {
        self.file = file
        self.folder = folder
    }

    /// Takes the lock for this process, and writes down who holds it.
    ///
    /// - Parameters:
    ///   - plan: What the holder is about to do; nil for decisions that are not about one plan.
    ///   - now: For the other's message.
    /// - Throws: `LockError.held` at once where another process holds it.
    public static func acquire(in folder: String, plan: Digest?, at now: Timestamp) throws(LockError) -> BucketLock {
        let path = folder + "/" + fileName
        if let type = NetworkFileSystem.type(of: folder) { throw .networkFileSystem(path: path, type: type) }
        do {
            let file = try File(path, O_RDWR | O_CREAT, mode: 0o600)
            guard try lock(file) else { throw LockError.held(by: describedHolder(file), path: path) }
            // Itself, also where the path ends in a link.
            let directory = try File(folder + "/.", O_RDONLY | O_DIRECTORY)
            guard flock(directory.descriptor, LOCK_EX | LOCK_NB) == 0 else {
                guard errno == EWOULDBLOCK else { throw SystemError("lock", folder) }
                throw LockError.held(by: nil, path: folder)
            }
            guard ftruncate(file.descriptor, 0) == 0 else { throw SystemError("truncate", path) }
            try file.write(Array(LockHolder.current(plan: plan, since: now).text.utf8))
            return BucketLock(file, directory)
        } catch let error as SystemError where error.code == ENOSPC {
            throw .diskFull(path: path)
        } catch let error as SystemError {
            throw .failed(path: path, reason: "\(error.operation): \(error.message)")
        } catch let error as LockError {
            throw error
        } catch {
            throw .failed(path: path, reason: "\(error)")
        }
    }

    /// Whether the bucket is locked now, and by whom, for `status`. Disturbs no one: the lock is asked for, not taken.
    public static func state(in folder: String) throws(LockError) -> State {
        let path = folder + "/" + fileName
        do throws(SystemError) {
            let file = try File(path, O_RDONLY)
            var request = wholeFile(F_RDLCK)
            guard fcntl(file.descriptor, getOpenFileLock, &request) == 0 else { throw SystemError("lock", path) }
            return request.l_type == Int16(F_UNLCK) ? .free : .held(by: describedHolder(file))
        } catch {
            if error.code == ENOENT { return .free }
            throw .failed(path: path, reason: "\(error.operation): \(error.message)")
        }
    }

    deinit {
        // Nobody shall read of a holder that is gone; a holder that is killed leaves its text, and no lock.
        ftruncate(file.descriptor, 0)
        // Given back and not just closed: a child that is being started this instant still shares the open file.
        var request = Self.wholeFile(F_UNLCK)
        _ = fcntl(file.descriptor, Self.setOpenFileLock, &request)
        _ = flock(folder.descriptor, LOCK_UN)
    }
}

extension BucketLock {
    // F_OFD_GETLK and F_OFD_SETLK of fcntl(2), Linux 3.15: locks of the open file, not of the process. The headers hide
    // them from Swift.
    private static let getOpenFileLock: Int32 = 36
    private static let setOpenFileLock: Int32 = 37

    /// Whether the lock could be had.
    private static func lock(_ file: borrowing File) throws(SystemError) -> Bool {
        var request = wholeFile(F_WRLCK)
        if fcntl(file.descriptor, setOpenFileLock, &request) == 0 { return true }
        if errno == EAGAIN || errno == EACCES { return false }
        throw SystemError("lock", file.path)
    }

    private static func wholeFile(_ type: Int32) -> flock {
        var request = flock()
        request.l_type = Int16(type)
        request.l_whence = Int16(SEEK_SET)
        return request
    }

    /// What the holder wrote down. Between its lock and its text there are microseconds in which the text is missing, or
    /// that of a holder that was killed: then it is read again.
    private static func describedHolder(_ file: borrowing File) -> LockHolder? {
        var found: LockHolder?
        for _ in 0..<20 {
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = pread(file.descriptor, &bytes, bytes.count, 0)
            found = LockHolder(text: String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)) ?? found
            if let found, found.isAlive { return found }
            usleep(5000)
        }
        return found
    }
}
