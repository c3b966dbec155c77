package import Catalog
package import Model
internal import Plans
internal import Workers

/// Looks for the targets of an operation before its run begins.
extension StepRunner {
    /// Asks every worker whether its Makefile has the target that the plan runs there: in make's own list, so that nothing is
    /// run. Workers that cannot be asked are found out by their batch.
    ///
    /// - Parameter records: the recorded steps of the run; if one of the plan's steps has begun, nothing is asked.
    /// - Returns: the target, with the allocations whose Makefiles do not have it; nil if there are none.
    package func missingTargets(_ records: [StepRecord]) async -> (target: String, allocations: [AllocationID])? {
        guard records.allSatisfy({ $0.step.isPreflight }) else { return nil }
        let operated = graph.steps.compactMap { step -> OperatedAllocation? in
            guard case .target(let target) = step.task, case .operation(let allocation) = target.purpose else {
                return nil
            }
            return allocation
        }
        for name in Set(operated.map(\.verb.target)).sorted() {
            let asked = operated.filter { $0.verb.target == name }
            let answers = await asked.sideBySide(width: Self.checkWidth) { await isMissing(name, $0) }
            let missing = zip(asked, answers).filter(\.1).map(\.0.allocation)
            if !missing.isEmpty { return (name, missing) }
        }
        return nil
    }

    private func isMissing(_ target: String, _ allocation: OperatedAllocation) async -> Bool {
        guard let session = try? await pool.session(allocation.entry.worker) else { return false }
        let request = AttemptRequest(
            id: "\(session.owner.run)-probe-\(WorkerSession.randomNonce())", action: .shell(Self.targetSearch(target)),
            job: allocation.work.job.job.text, lock: .none, timeout: .seconds(60), grace: .seconds(1), tailLimit: 1024)
        guard let report = try? await session.run(request), case .finished(let result) = report else { return false }
        return result.exitStatus == Self.missingStatus
    }

    private static let missingStatus = 43

    /// Exits with `missingStatus` if make knows no rule by which it could make the target. A Makefile with pattern rules or
    /// `.DEFAULT` may know one that is in no list: there the target itself finds out.
    ///
    /// Asked for is a target of our own without commands: with another one make would run its lines that begin with `+`.
    private static func targetSearch(_ target: String) -> String {
        """
        LC_ALL=C make -pqrR --eval 'maand-apply-asks: ;' maand-apply-asks 2>/dev/null | {
            no= any=
            while IFS= read -r line; do
                case $line in
                '# Not a target:') no=1; continue ;;
                '#'* | '	'*) ;;
                '\(target):'*) [ "$no" ] || exit 0 ;;
                maand-apply-asks:*) any=1 ;;
                .DEFAULT:* | *%*:*) [ "$no" ] || exit 0 ;;
                esac
                no=
            done
            [ -z "$any" ] || exit \(missingStatus)
        }

        """
    }
}
