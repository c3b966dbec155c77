public import Model

/// What Maand has written into its database about a bucket, as far as it is taken over.
public struct MaandRecords: Sendable {
    /// The bucket's id, which names its folder on workers.
    public var bucketID: String
    /// The ids that Maand gave to workers.
    public var workerIDs: [WorkerName: String] = [:]
    /// Sorted.
    public var allocations: [Allocation] = []
    /// Numbers of the ports of each job, those that manifests fix among them.
    public var ports: [JobName: [String: Int]] = [:]
    /// Values of `vars/job/*` and `secrets/job/*`, sorted by namespace and key.
    public var values: [Value] = []
    /// Files of certificates, by allocation and by their path in the job's folder.
    public var certificates: [AllocationID: [String: String]] = [:]
    /// Names of jobs and workers that cannot be names here, sorted.
    public var strangeNames: [String] = []
    /// The database is lost, and only the workers can say what lies on them.
    public var isLost = false

    public init(bucketID: String) { self.bucketID = bucketID }

    /// A row of `allocations` with its row of `hash`.
    public struct Allocation: Equatable, Sendable {
        public var id: AllocationID
        public var isDisabled: Bool
        public var isRemoved: Bool
        /// The version that the last build wants, as the manifest spells it.
        public var targetVersion: String
        /// Nil where nothing was ever pushed, or where it was removed since.
        public var hash: Hash?

        public init(
            id: AllocationID, isDisabled: Bool = false, isRemoved: Bool = false, targetVersion: String,
            hash: Hash? = nil
        ) {
            self.id = id
            self.isDisabled = isDisabled
            self.isRemoved = isRemoved
            self.targetVersion = targetVersion
            self.hash = hash
        }

        /// Changes with everything that a deploy of Maand changes in the rows.
        public var state: Digest {
            var parts = ["\(isDisabled) \(isRemoved)"]
            if let hash {
                parts += [hash.version, hash.previous ?? "-", hash.current ?? "-"]
                for files in [hash.previousFiles, hash.currentFiles] {
                    parts.append("\(files.count)")
                    parts += files.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
                }
            }
            return Digest.of(Array(parts.joined(separator: "\n").utf8))
        }

        /// Paths of the job's folder on the worker that Maand has pushed, or was about to push.
        public var pushedPaths: Set<String> {
            guard let hash else { return [] }
            return Set(hash.previousFiles.keys).union(hash.currentFiles.keys).filter(Taking.isPushed)
        }
    }

    /// Files of an allocation as Maand knows them.
    public struct Hash: Equatable, Sendable {
        /// What was last planned there; it may have been pushed and started.
        public var current: String?
        /// What was promoted; nil where nothing was, or where the allocation was enabled since.
        public var previous: String?
        /// Path -> MD5 of what was planned, with hooks and templates.
        public var currentFiles: [String: String]
        /// The same of what was promoted.
        public var previousFiles: [String: String]
        /// The version that was last promoted; `0.0.0` for none.
        public var version: String

        public init(
            current: String?, previous: String?, currentFiles: [String: String] = [:],
            previousFiles: [String: String] = [:], version: String = "0.0.0"
        ) {
            self.current = current
            self.previous = previous
            self.currentFiles = currentFiles
            self.previousFiles = previousFiles
            self.version = version
        }
    }

    /// A variable, or a secret.
    public struct Value: Equatable, Sendable {
        public var namespace: KVNamespace
        public var key: String
        /// As Maand has stored it: a secret is encrypted, and `MaandKey` opens it.
        public var stored: String

        public init(_ namespace: KVNamespace, _ key: String, _ stored: String) {
            self.namespace = namespace
            self.key = key
            self.stored = stored
        }
    }
}

/// Why the files of a bucket of Maand cannot be read, with what to do.
public struct MaandProblem: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }

    /// The workers do not say which bucket it is.
    ///
    /// - Parameter found: ids of buckets that they have.
    public init(found: [String], silent: [String]) {
        let what =
            found.isEmpty
            ? "no worker has a folder of a bucket of Maand"
            : "the workers have folders of several buckets: \(found.joined(separator: ", "))"
        description =
            "\(MaandDatabase.file) is missing, and \(what)"
            + (silent.isEmpty ? "" : " (\(silent.joined(separator: "; ")))")
            + ". Put the database back from a backup, or write the id of the bucket into maand.conf: bucket_id = \"...\""
    }
}
