internal import Catalog
internal import Model
internal import Plans

extension StepGraph {
    /// Jobs that a run has begun and not brought to all of their hosts, each as a sentence.
    func mixedVersions(_ records: [StepRecord]) -> [String] {
        let done = Set(records.lazy.filter { $0.state == .succeeded }.map(\.step))
        let touched = Set(records.map(\.step))
        return units.compactMap { unit in
            guard let name = unit.job else { return nil }
            var new: [WorkerName] = []
            var old: [WorkerName] = []
            var hasBegun = false
            for index in unit.steps {
                guard case .promote = steps[index].task, let worker = steps[index].worker else {
                    hasBegun = hasBegun || touched.contains(steps[index].id)
                    continue
                }
                if done.contains(steps[index].id) { new.append(worker) } else { old.append(worker) }
            }
            guard hasBegun || !new.isEmpty, !old.isEmpty, let job = unit.work?.job else {
                return nil
            }
            return "\(name): \(job.version) on \(Self.list(new)); not yet on \(Self.list(old))"
        }
    }

    private static func list(_ workers: [WorkerName]) -> String {
        workers.isEmpty ? "no host" : workers.map(\.text).listed(first: 10)
    }
}
