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
        let operated = graph.steps.indexed.compactMap { index, step -> Search? in
            guard case .target(let target) = step.task, case .operation(let allocation) = target.purpose else {
                return nil
            }
            return Search(allocation: allocation, environment: request(target, index, 1).environment)
        }
        for name in Set(operated.map(\.allocation.verb.target)).sorted() {
            let asked = operated.filter { $0.allocation.verb.target == name }
            let answers = await asked.sideBySide(width: Self.checkWidth) { await isMissing(name, $0) }
            let missing = zip(asked, answers).filter(\.1).map(\.0.allocation.allocation)
            if !missing.isEmpty { return (name, missing) }
        }
        return nil
    }

    /// A look into the Makefile of an allocation, with the environment that its target will have.
    private struct Search {
        let allocation: OperatedAllocation
        let environment: [String: String]
    }

    private func isMissing(_ target: String, _ search: Search) async -> Bool {
        guard let session = try? await pool.session(search.allocation.entry.worker) else { return false }
        let request = AttemptRequest.probe(
            Self.targetSearch(target), of: session.owner, timeout: .seconds(60),
            job: search.allocation.work.job.job, environment: search.environment)
        guard let report = try? await session.run(request), case .finished(let result) = report else { return false }
        return result.exitStatus == Self.missingStatus
    }

    private static let missingStatus = 43

    /// Exits with `missingStatus` if make knows no rule by which it could make the target. A Makefile with pattern rules or
    /// `.DEFAULT` may know one that is in no list, and so may one of which a part has to be made first, or that is broken: there
    /// the target itself finds out.
    ///
    /// Asked for is a target of our own without commands: with another one make would run its lines that begin with `+`.
    /// Makefiles that a rule makes would be made for any target, so the shell of every rule only says that it was asked.
    private static func targetSearch(_ target: String) -> String {
        AttemptRequest.makefileChoice + """
            { LC_ALL=C make "$@" -pqrR --eval '%: override SHELL := echo' --eval '%: override .SHELLFLAGS := -maand-apply-asks' \
                --eval 'maand-apply-asks: ;' maand-apply-asks 2>/dev/null
                [ $? -lt 2 ] || echo -maand-apply-asks; } | {
                no= any=
                while IFS= read -r line; do
                    case $line in
                    '# Not a target:') no=1; continue ;;
                    '#'* | '	'*) ;;
                    -maand-apply-asks*) exit 0 ;;
                    maand-apply-asks:*) any=1 ;;
                    '\(target): '*' = '* | '\(target): '*' := '*) continue ;;
                    '\(target):'* | .DEFAULT:*) [ "$no" ] || exit 0 ;;
                    *%*:*) case ${line%%:*} in *=* | *' ') ;; *%*) [ "$no" ] || exit 0 ;; esac ;;
                    esac
                    no=
                done
                [ -z "$any" ] || exit \(missingStatus)
            }

            """
    }
}
