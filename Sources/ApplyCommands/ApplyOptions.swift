import Approvals
import ArgumentParser
import Catalog
import Commands
import Executor
import Foundation
import Model
import Plans
import UseCases

/// Which bucket a command of `maand-apply` is about, and how it prints.
struct ApplyOptions: ParsableArguments {
    @OptionGroup var bucket: BucketOptions

    @OptionGroup var color: ColorOptions

    var folder: String { bucket.folder }

    var terminal: Terminal { Terminal(color) }

    func configuration() throws -> BucketConfiguration { try bucket.configuration() }

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

    /// What the executor works on, opened for writing.
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
        var context = bucket.context(configuration, catalog, observe: observe)
        context.approval = approval ?? self.approval()
        return context
    }

    /// The catalog for reading; nil before the first apply.
    func catalog() throws -> Catalog? {
        try Catalog.openReadOnly(in: folder, bucket: configuration().bucketID)
    }

    /// The run that a decision is about: the one that is named, or else the one that is not over. A bucket has at most one.
    ///
    /// - Throws: `Failure` if none is named and all runs are over.
    func unfinished(_ run: RunID?) throws -> RunID {
        if let run { return run }
        guard let run = try catalog()?.unfinishedRun() else {
            throw Failure(
                .invalidInput, code: .runEnded,
                "every run is over, so there is nothing to decide. `maand-apply history` lists them.")
        }
        return run.id
    }

    func lock(plan: Digest?) throws -> BucketLock { try bucket.lock(plan: plan) }
}
