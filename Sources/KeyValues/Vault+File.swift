public import Catalog
internal import Crypto
internal import Foundation
internal import Glibc
internal import Model

extension Vault {
    /// The key's file, below the bucket's folder.
    public static let file = "secrets/kv.key"

    /// The bucket's key as its file has it, or nil where there is no file and none is known.
    ///
    /// - Parameter known: the fingerprint of the key that the bucket's secrets are encrypted with, if there are any.
    public static func open(in folder: String, known: String?) throws(VaultError) -> Vault? {
        let path = folder + "/" + file
        if let known, let vault = try finishRotation(in: folder, known) { return vault }
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR {
                if known != nil { throw .lost(path: path, secret: nil) }
                return nil
            }
            if errno == ELOOP { throw .link(path: path) }
            throw .failed(path: path, reason: String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        try checkAccess(descriptor, path)
        let vault = Vault(key: SymmetricKey(data: try key(descriptor, path)))
        if let known, known != vault.fingerprint { throw .other(path: path) }
        return vault
    }

    /// The bucket's key, made now where there is none yet. Of processes that do this at once one makes it.
    public static func openOrCreate(in folder: String, known: String?) throws(VaultError) -> Vault {
        if let vault = try open(in: folder, known: known) { return vault }
        let path = folder + "/" + file
        let secrets = folder + "/secrets"
        if mkdir(secrets, 0o700) != 0, errno != EEXIST {
            throw .failed(path: secrets, reason: String(cString: strerror(errno)))
        }
        let key = SymmetricKey(size: .bits256)
        if try write(text(of: key), to: path) { return Vault(key: key) }
        // Another process was faster.
        guard let vault = try open(in: folder, known: known) else { throw .lost(path: path, secret: nil) }
        return vault
    }

    private static func isMissing(in folder: String) -> Bool {
        access(folder + "/" + file, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR)
    }

    private static let header = "maand-key-1:"

    private static func text(of key: SymmetricKey) -> [UInt8] {
        key.withUnsafeBytes { Array("\(header)\(Data($0).base64EncodedString())\n".utf8) }
    }

    private static func checkAccess(_ descriptor: Int32, _ path: String) throws(VaultError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw .failed(path: path, reason: String(cString: strerror(errno)))
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .malformed(path: path) }
        guard status.st_uid == geteuid() else { throw .foreignOwner(path: path) }
        let mode = status.st_mode & 0o777
        guard mode & 0o077 == 0 else { throw .exposed(path: path, mode: "0" + String(mode, radix: 8)) }
    }

    private static func key(_ descriptor: Int32, _ path: String) throws(VaultError) -> Data {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = read(descriptor, &buffer, buffer.count)
        guard count >= 0 else { throw .failed(path: path, reason: String(cString: strerror(errno))) }
        // As Maand writes it.
        if count == 32, !buffer.starts(with: header.utf8) { return Data(buffer.prefix(count)) }
        let text = String(decoding: buffer.prefix(count), as: UTF8.self)
        guard text.hasPrefix(header), text.hasSuffix("\n"),
            let data = Data(base64Encoded: String(text.dropFirst(header.count).dropLast())), data.count == 32
        else { throw .malformed(path: path) }
        return data
    }

    /// Whole or absent at any instant, and durable: what is sealed with a key that a power cut takes is lost.
    ///
    /// - Returns: false where the file is there already.
    private static func write(_ bytes: [UInt8], to path: String) throws(VaultError) -> Bool {
        let temporary = "\(path).\(UInt64.random(in: .min ... .max)).tmp"
        let descriptor = Glibc.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .failed(path: temporary, reason: String(cString: strerror(errno))) }
        defer { unlink(temporary) }
        let isWritten = Glibc.write(descriptor, bytes, bytes.count) == bytes.count && fsync(descriptor) == 0
        let code = errno
        close(descriptor)
        guard isWritten else { throw .failed(path: temporary, reason: String(cString: strerror(code))) }
        guard link(temporary, path) == 0 else {
            if errno == EEXIST { return false }
            throw .failed(path: path, reason: String(cString: strerror(errno)))
        }
        try synchronizeFolder(of: path)
        return true
    }

    private static func synchronizeFolder(of path: String) throws(VaultError) {
        let folder = Glibc.open(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]), O_RDONLY | O_DIRECTORY)
        guard folder >= 0 else { throw .failed(path: path, reason: String(cString: strerror(errno))) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw .failed(path: path, reason: String(cString: strerror(errno))) }
    }
}

extension Vault {
    /// Where a new key lies until everything is sealed with it.
    private static let newFile = file + ".new"

    /// Replaces the bucket's key. The caller holds the bucket's lock.
    ///
    /// The new key is on disk before anything is sealed with it, in one transaction; then it takes the place of the old one.
    /// The next process that opens the key does the last step if this one is cut off.
    ///
    /// - Throws: `VaultError`, `CatalogError`; then everything is sealed with the old key.
    public static func rotateKey(in folder: String, _ catalog: Catalog) throws {
        let old = try openOrCreate(in: folder, for: catalog)
        let path = folder + "/" + newFile
        guard unlink(path) == 0 || errno == ENOENT else {
            throw VaultError.failed(path: path, reason: String(cString: strerror(errno)))
        }
        removeDrafts(of: path)
        let key = SymmetricKey(size: .bits256)
        guard try write(text(of: key), to: path) else {
            throw VaultError.failed(path: path, reason: "it is there already")
        }
        let new = Vault(key: key)
        try catalog.replaceKey(old.fingerprint, by: new.fingerprint) { item, sealed in
            let place =
                switch item {
                case .value(let namespace, let key, let version):
                    Place(namespace: namespace, key: key, version: version)
                case .fingerprintKey: fingerprintPlace
                case .file(let digest): Place.sealedFile(digest)
                case .authority(let digest): Place.authority(digest)
                case .provided(let namespace, let key, let fingerprint): Place.provided(namespace, key, fingerprint)
                }
            return try new.seal(try old.open(sealed, for: place), for: place)
        }
        _ = try finishRotation(in: folder, new.fingerprint)
    }

    /// Removes what a process has left that was killed while it wrote a new key.
    private static func removeDrafts(of path: String) {
        let name = (path as NSString).lastPathComponent
        let folder = (path as NSString).deletingLastPathComponent
        for draft in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        where draft.hasPrefix(name + ".") && draft.hasSuffix(".tmp") { unlink(folder + "/" + draft) }
    }

    /// Brings a new key to its place if everything is sealed with it already.
    ///
    /// - Returns: the new key; nil if there is none, or if it is not the one that counts.
    private static func finishRotation(in folder: String, _ known: String) throws(VaultError) -> Vault? {
        let path = folder + "/" + newFile
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        // Anything else of this name is of no use, and in nobody's way.
        guard (try? checkAccess(descriptor, path)) != nil, let data = try? key(descriptor, path) else { return nil }
        let vault = Vault(key: SymmetricKey(data: data))
        guard vault.fingerprint == known else { return nil }
        // Where that cannot be done, the next process tries again.
        guard rename(path, folder + "/" + file) == 0 else { return vault }
        try synchronizeFolder(of: path)
        return vault
    }
}

extension Vault {
    /// The bucket's key for reading secrets; nil if there is none.
    ///
    /// Another process may replace the key meanwhile: then the new one is read.
    public static func open(in folder: String, of catalog: Catalog) throws -> Vault? {
        try withSteadyKey(of: catalog) { known in try open(in: folder, known: known) }
    }

    /// Calls `body` with the fingerprint of the key that counts, again if the key was replaced meanwhile.
    private static func withSteadyKey<Value>(
        of catalog: Catalog, _ body: (_ known: String?) throws -> Value
    ) throws -> Value {
        for _ in 0..<20 {
            let known = try catalog.keyFingerprint()
            do {
                return try body(known)
            } catch VaultError.other(let path) {
                guard try catalog.keyFingerprint() != known else { throw VaultError.other(path: path) }
            }
        }
        return try body(try catalog.keyFingerprint())
    }

    /// The bucket's key for writing secrets or giving out tokens; from now on the catalog knows it, and takes no other.
    /// Where the file is gone and nothing that counts is encrypted with it, a new one is made.
    public static func openOrCreate(in folder: String, for catalog: Catalog) throws -> Vault {
        var known = try catalog.keyFingerprint()
        if let lost = known, isMissing(in: folder) {
            switch try catalog.forgetKey(lost) {
            case nil: known = nil
            case .stored(let namespace, let key):
                throw VaultError.lost(path: folder + "/" + file, secret: "\(key) of \(namespace)")
            case .unfinished(let run): throw VaultError.lostInRun(path: folder + "/" + file, run: run.number)
            }
        }
        let vault = try withSteadyKey(of: catalog) { now in
            let vault = try openOrCreate(in: folder, known: known == nil ? nil : now)
            try catalog.rememberKey(vault.fingerprint)
            // Where two processes made their first key at once, they made the same one: the file's.
            guard try catalog.keyFingerprint() == vault.fingerprint else {
                throw VaultError.other(path: folder + "/" + file)
            }
            return vault
        }
        let key = try catalog.fingerprintKey() ?? catalog.fingerprintKey(orKeep: vault.newFingerprintKey())
        return try vault.withFingerprints(key)
    }
}
