import ArgumentParser
import Catalog
import Executor
import Foundation
import Model

/// Which bucket a command is about, and how it prints.
struct BucketOptions: ParsableArguments {
    @Option(help: "The bucket's directory; else $MAAND_BUCKET, else the current directory.")
    var bucket: String?

    @Option(help: "When to use colours: auto (on a terminal, unless NO_COLOR is set), always or never.")
    var color = ColorChoice.auto

    /// Absolute, so that later changes of the working directory do not matter.
    var folder: String {
        let named = bucket ?? ProcessInfo.processInfo.environment["MAAND_BUCKET"] ?? "."
        return URL(fileURLWithPath: named).standardizedFileURL.path
    }

    var terminal: Terminal { Terminal(color) }

    func configuration() throws -> BucketConfiguration {
        let path = folder + "/maand.conf"
        let bytes: [UInt8]
        do throws(InputFile.Problem) {
            bytes = try InputFile.read(path, limit: 1 << 20)
        } catch {
            throw CommandFailure(
                .invalid, .fileUnreadable,
                "\(path) cannot be read: \(error.message). Name a bucket with `--bucket`, or make one: maand-plan init DIR"
            )
        }
        return try BucketConfiguration.read(bytes, file: path)
    }

    /// Whether plans have to be approved here, and which are.
    ///
    /// - Parameters:
    ///   - plan: the plan's file; nil where there is none.
    ///   - signatures: the folder of its signatures, where it is not the usual one.
    func approval(plan: String? = nil, signatures: String? = nil) -> ApprovalCheck {
        ApprovalCheck(
            operatorPath: ProcessInfo.processInfo.environment["MAAND_POLICY"], bucketFolder: folder, plan: plan,
            signatures: signatures)
    }

    /// Returns what the executor works on, opened for writing.
    ///
    /// - Parameters:
    ///   - approval: nil asks for whatever concerns no single plan.
    ///   - isReadOnly: nothing may be written, nor is.
    func context(
        _ approval: ApprovalCheck? = nil, isReadOnly: Bool = false,
        _ observe: @escaping @Sendable (RunEvent) -> Void = { _ in }
    ) throws -> ExecutionContext {
        let configuration = try configuration()
        let catalog =
            isReadOnly
            ? try Catalog.openReadOnly(in: folder, bucket: configuration.bucketID)
                ?? Catalog.inMemory(bucket: configuration.bucketID)
            : try Catalog.open(in: folder, bucket: configuration.bucketID)
        var context = ExecutionContext(
            bucketFolder: folder, configuration: configuration,
            catalog: catalog, store: ContentStore(in: folder), who: ControlHost.who, controller: ControlHost.controller,
            clock: .system, nonce: ControlHost.nonce,
            passphrase: ControlHost.askPassphrase, observe: observe)
        context.approval = approval ?? self.approval()
        return context
    }

    /// The catalog for reading; nil before the first apply.
    func catalog() throws -> Catalog? {
        try Catalog.openReadOnly(in: folder, bucket: configuration().bucketID)
    }

    func lock(plan: Digest?) throws -> BucketLock {
        try BucketLock.acquire(in: folder, plan: plan, at: Clock.system.now())
    }
}

enum ColorChoice: String, ExpressibleByArgument, CaseIterable {
    case auto
    case always
    case never
}
