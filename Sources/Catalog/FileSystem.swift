internal import Glibc

/// A system call that failed.
struct SystemError: Error {
    let code: Int32
    let operation: String
    let path: String

    /// Reads `errno`; to be made right after the call.
    init(_ operation: String, _ path: String) {
        code = errno
        self.operation = operation
        self.path = path
    }

    /// The system's own text.
    var message: String { systemMessage(code) }
}

/// The system's text for an error number.
func systemMessage(_ code: Int32) -> String { String(cString: strerror(code)) }

/// A file descriptor that is closed when it goes out of scope; every one is close-on-exec.
struct File: ~Copyable {
    let descriptor: Int32
    let path: String

    /// Opens without following a symbolic link in the last component, and without waiting for the writer of a FIFO.
    init(_ path: String, _ flags: Int32, mode: mode_t = 0) throws(SystemError) {
        descriptor = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode)
        self.path = path
        guard descriptor >= 0 else { throw SystemError("open", path) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    var status: stat {
        get throws(SystemError) {
            var status = stat()
            guard fstat(descriptor, &status) == 0 else { throw SystemError("stat", path) }
            return status
        }
    }

    /// The next bytes, at most `count`; empty at the end.
    func read(upTo count: Int) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, length in
            repeat { length = Glibc.read(descriptor, buffer.baseAddress, count) } while length < 0 && errno == EINTR
            if length < 0 {
                failure = SystemError("read", path)
                length = 0
            }
        }
        if let failure { throw failure }
        return bytes
    }

    func write(_ bytes: [UInt8]) throws(SystemError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw SystemError("write", path) }
            rest = rest.dropFirst(count)
        }
    }

    /// Makes the file's bytes, or the folder's names, durable.
    func sync() throws(SystemError) { guard fsync(descriptor) == 0 else { throw SystemError("fsync", path) } }

    /// Makes everything durable that was written to the file's disk.
    func syncDisk() throws(SystemError) {
        // syncfs(2), which the headers hide from Swift; sync(2) does the same for all disks, but reports no error.
        typealias Function = @convention(c) (Int32) -> Int32
        guard let address = dlsym(nil, "syncfs") else { return Glibc.sync() }
        guard unsafeBitCast(address, to: Function.self)(descriptor) == 0 else { throw SystemError("syncfs", path) }
    }
}

/// Makes the entries of a folder durable: names that were created, renamed or removed in it.
func syncFolder(_ path: String) throws(SystemError) { try File(path, O_RDONLY | O_DIRECTORY).sync() }

/// File systems on which a lock or an fsync of this host says nothing about the others.
enum NetworkFileSystem {
    /// The name of the network file system that holds `path`, or nil for a local one, or where it cannot be told.
    static func type(of path: String) -> String? {
        var status = stat()
        guard stat(path, &status) == 0, let mounts = try? mountInfo() else { return nil }
        // gnu_dev_major(3) and gnu_dev_minor(3), which are macros or hidden from Swift.
        let device = UInt64(status.st_dev)
        let major = (device >> 8 & 0xfff) | (device >> 32 & 0xffff_f000)
        let minor = (device & 0xff) | (device >> 12 & 0xffff_ff00)
        return type(ofDevice: "\(major):\(minor)", in: mounts)
    }

    /// `mounts` is the text of /proc/self/mountinfo (proc(5)): the third field of a line is the device, and the first
    /// after ` - ` the type.
    static func type(ofDevice device: String, in mounts: String) -> String? {
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 2, fields[2] == device, let dash = fields.firstIndex(of: "-"),
                dash + 1 < fields.count
            else { continue }
            let type = String(fields[dash + 1])
            return isNetwork(type) ? type : nil
        }
        return nil
    }

    /// `fuse` is refused whole: whether other hosts see the same files cannot be told from here. `fuseblk` is a disk.
    private static func isNetwork(_ type: String) -> Bool {
        type == "fuse" || type.hasPrefix("fuse.") || type.hasPrefix("nfs")
            || [
                "9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "gpfs", "lustre", "ncpfs", "ocfs2", "orangefs",
                "smb3", "smbfs",
            ].contains(type)
    }

    private static func mountInfo() throws(SystemError) -> String {
        let file = try File("/proc/self/mountinfo", O_RDONLY)
        var text: [UInt8] = []
        while case let bytes = try file.read(upTo: 64 * 1024), !bytes.isEmpty { text += bytes }
        return String(decoding: text, as: UTF8.self)
    }
}
