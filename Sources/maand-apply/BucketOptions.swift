import ArgumentParser
import Catalog
import Executor
import Foundation
import Model

/// Which bucket a command is about, and how it prints.
struct BucketOptions: ParsableArguments {
    @Option(help: "The bucket's folder. Without it MAAND_BUCKET, else the current folder.")
    var bucket: String?

    @Option(help: "Colour in text for people.")
    var color = ColorChoice.auto

    /// Absolute, so that later changes of the working directory do not matter.
    var folder: String {
        let named = bucket ?? ProcessInfo.processInfo.environment["MAAND_BUCKET"] ?? "."
        return URL(fileURLWithPath: named).standardizedFileURL.path
    }

    var terminal: Terminal { Terminal(color) }

    func configuration() throws -> BucketConfiguration {
        let path = folder + "/maand.conf"
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandFailure(
                .invalid,
                "\(path) cannot be read: this is no bucket. Name one with `--bucket`, or make one: "
                    + "maand-plan init DIR")
        }
        return try BucketConfiguration.read(Array(data), file: path)
    }

    /// The bucket's parts, opened for writing.
    func rollout(_ observe: @escaping @Sendable (RunEvent) -> Void = { _ in }) throws -> Rollout {
        let configuration = try configuration()
        return Rollout(
            bucketFolder: folder, configuration: configuration,
            catalog: try Catalog.open(in: folder, bucket: configuration.bucketID), store: ContentStore(in: folder),
            who: "\(NSUserName())@\(ProcessInfo.processInfo.hostName)", controller: Self.controller, clock: .system,
            nonce: { String((0..<16).map { _ in "0123456789abcdef".randomElement() ?? "0" }) },
            passphrase: Self.askPassphrase, observe: observe)
    }

    /// Only where a person sits at a terminal: a rollout that runs by itself must not wait for one.
    @Sendable private static func askPassphrase(_ path: String) -> String? {
        guard isatty(STDIN_FILENO) == 1, let typed = getpass("Passphrase of \(path): ") else { return nil }
        return String(cString: typed)
    }

    /// machine-id(5) names a host for good, whatever its name and addresses; hashed, since it is to be kept private.
    private static var controller: String {
        let id = FileManager.default.contents(atPath: "/etc/machine-id").map { Array($0) } ?? []
        let name = id.isEmpty ? Array(ProcessInfo.processInfo.hostName.utf8) : id
        return String(Digest.of(Array("maand-apply\n".utf8) + name).hex.prefix(16))
    }

    /// The catalog for reading; nil before the first apply.
    func catalog() throws -> Catalog? {
        try Catalog.openReadOnly(in: folder, bucket: configuration().bucketID)
    }

    func lock(plan: Digest?) throws -> BucketLock {
        do {
            return try BucketLock.acquire(in: folder, plan: plan, at: Clock.system.now())
        } catch LockError.held(let holder, let path) {
            throw CommandFailure(.tryLater, "\(LockError.held(by: holder, path: path))")
        }
    }
}

enum ColorChoice: String, ExpressibleByArgument, CaseIterable {
    case auto
    case always
    case never
}
