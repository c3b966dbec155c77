internal import Glibc
public import Model
internal import YAML

/// Why nobody can say whether a plan is approved, so that it does not run.
public struct ApprovalProblem: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is in the way, and what to do: whole sentences.
    public let description: String

    package init(_ description: String) { self.description = description }
}

/// The policy that holds on this host, with the lists of keys that it names; read once, so that what was checked is what
/// is used.
public struct EffectivePolicy: Sendable {
    /// For people.
    public let path: String
    /// What it says.
    public let policy: ApprovalPolicy
    /// Of the policy file's bytes.
    public let digest: Digest
    package let text: [UInt8]
    let allowedSigners: [UInt8]
    let revocations: [UInt8]?
    private let revocationsPath: String?

    /// Where an administrator puts the policy of a host.
    public static let hostPath = "/etc/maand/policy.toml"
    /// Bytes of a list of keys that are read.
    private static let maximumList = 4 << 20

    /// Finds the policy.
    ///
    /// - Parameters:
    ///   - hostPath: belongs to root; where it is there, it holds.
    ///   - operatorPath: from the environment of the user who applies (`MAAND_POLICY`); belongs to them or to root.
    ///   - bucketFolder: no policy lies in there, since authors of plans write there.
    /// - Returns: nil where neither is there; then nothing has to be approved.
    /// - Throws: `ApprovalProblem` where there is one and it cannot be taken.
    public static func find(
        hostPath: String = Self.hostPath, operatorPath: String?, bucketFolder: String
    ) throws(ApprovalProblem) -> EffectivePolicy? {
        if isThere(hostPath) {
            let host: TrustedFile
            do throws(TrustedFile.Problem) {
                host = try TrustedFile.read(hostPath, owners: [0], limit: ApprovalPolicy.maximumSize)
            } catch {
                throw problem(hostPath, error)
            }
            if let operatorPath, operatorPath != hostPath {
                throw ApprovalProblem(
                    "MAAND_POLICY names \(operatorPath), and this host has a policy, \(hostPath), which holds. Unset it."
                )
            }
            return try EffectivePolicy(host, hostPath, owners: [0], bucketFolder)
        }
        try requireNoOther(hostPath)
        guard let operatorPath else { return nil }
        let owners: Set<UInt32> = [0, geteuid()]
        try requireOutside(operatorPath, bucketFolder)
        let file: TrustedFile
        do throws(TrustedFile.Problem) {
            file = try TrustedFile.read(operatorPath, owners: owners, limit: ApprovalPolicy.maximumSize)
        } catch {
            throw problem(operatorPath, error)
        }
        return try EffectivePolicy(file, operatorPath, owners: owners, bucketFolder)
    }

    /// A policy with a slip in its name would protect nothing.
    ///
    /// - Throws: `ApprovalProblem` if a file beside the path is probably meant to be the policy.
    private static func requireNoOther(_ path: String) throws(ApprovalProblem) {
        guard let slash = path.lastIndex(of: "/"), let stream = opendir(String(path[..<slash])) else { return }
        defer { closedir(stream) }
        var names: [String] = []
        // An administrator has few files there.
        while names.count < 1000, let entry = readdir(stream) {
            let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if Int(entry.pointee.d_type) == DT_REG { names.append(String(decoding: bytes, as: UTF8.self)) }
        }
        let name = String(path[path.index(after: slash)...])
        guard let other = Suggestion.misspelt(names, for: [name]).first else { return }
        throw ApprovalProblem(
            "This host has no approval policy \(path). Did you mean it by \(other.found)? Rename that file, or move it elsewhere."
        )
    }

    /// Whether anything is there, even a link that leads nowhere; whatever cannot be found out counts as there.
    private static func isThere(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 || (errno != ENOENT && errno != ENOTDIR)
    }

    private init(
        _ file: TrustedFile, _ path: String, owners: Set<UInt32>, _ bucketFolder: String
    ) throws(ApprovalProblem) {
        self.path = path
        text = file.bytes
        digest = Digest.of(file.bytes)
        policy = try Self.read(file.bytes, file: path)
        let folder = path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex)
        func list(_ name: String) throws(ApprovalProblem) -> [UInt8] {
            let path = name.hasPrefix("/") ? name : "\(folder)/\(name)"
            try Self.requireOutside(path, bucketFolder)
            do throws(TrustedFile.Problem) {
                return try TrustedFile.read(path, owners: owners, limit: Self.maximumList).bytes
            } catch {
                throw Self.problem(path, error)
            }
        }
        allowedSigners = try list(policy.allowedSigners)
        guard let name = policy.revocations else {
            revocations = nil
            revocationsPath = nil
            return
        }
        let revoked = try list(name)
        let listPath = name.hasPrefix("/") ? name : "\(folder)/\(name)"
        if let problem = RevocationList.problem(revoked) { throw Self.unreadable(listPath, problem) }
        revocations = revoked
        revocationsPath = listPath
    }

    /// - Parameter problem: goes on where the path ends.
    private static func unreadable(_ path: String, _ problem: String) -> ApprovalProblem {
        ApprovalProblem(
            "\(path)\(problem). Until the list of revoked keys can be read whole, no approval counts. It is a KRL of "
                + "OpenSSH, or one public key a line; correct it there.")
    }

    /// The list is not one that `ssh-keygen` can read.
    func unreadableRevocations(_ reason: String) -> ApprovalProblem {
        Self.unreadable(revocationsPath ?? path, reason)
    }

    /// What holds for a run that began under a policy of these bytes.
    func tightened(by recorded: [UInt8]?) throws(ApprovalProblem) -> ApprovalPolicy {
        guard let recorded else { return policy }
        return policy.tightened(by: try Self.read(recorded, file: "the policy that the run began under"))
    }

    private static func read(_ bytes: [UInt8], file: String) throws(ApprovalProblem) -> ApprovalPolicy {
        do throws(InputFailure) {
            return try ApprovalPolicy.read(bytes, file: file)
        } catch {
            throw ApprovalProblem("The approval policy cannot be read.\n\(error)")
        }
    }

    private static func problem(_ path: String, _ problem: TrustedFile.Problem) -> ApprovalProblem {
        ApprovalProblem(
            "\(path) \(problem.isMissing ? "is missing" : problem.message). An approval policy and its lists of keys are "
                + "regular files that only root (or, for MAAND_POLICY, also the user who applies) may write.")
    }

    /// Both paths hold no links on the way: the policy's is opened without following any, the bucket's is resolved.
    private static func requireOutside(_ path: String, _ bucketFolder: String) throws(ApprovalProblem) {
        // The workspace may be a link into a repository.
        for folder in ["", "/workspace", "/workspace/jobs"] {
            guard let resolved = realpath(bucketFolder + folder, nil) else { continue }
            defer { free(resolved) }
            if path.hasPrefix(String(cString: resolved) + "/") {
                throw ApprovalProblem(
                    "\(path) lies in the bucket\(folder.isEmpty ? "" : "'s workspace"), where authors of plans may "
                        + "write. Put it elsewhere.")
            }
        }
    }
}
