public import Model

extension Plan {
    /// Which workers a plan is for: all of them, those that are named, or those that carry a label; less those that are
    /// excluded.
    public struct Selection: Equatable, Sendable {
        /// Sorted; empty means all.
        public var workers: [WorkerName]
        /// Sorted; a worker with one of them is meant; empty means all. Never together with `workers`.
        public var labels: [String]
        /// Sorted.
        public var exclude: [WorkerName]

        public init(workers: [WorkerName] = [], labels: [String] = [], exclude: [WorkerName] = []) {
            self.workers = Set(workers).sorted()
            self.labels = Set(labels).sorted()
            self.exclude = Set(exclude).sorted()
        }

        /// Whether it means all workers.
        public var isEverything: Bool { self == Selection() }

        /// Whether it means a worker that has these labels.
        public func contains(_ worker: WorkerName, labels own: some Sequence<String>) -> Bool {
            if exclude.contains(worker) { return false }
            if !workers.isEmpty { return workers.contains(worker) }
            return labels.isEmpty || own.contains(where: labels.contains)
        }

        mutating func visit(_ fields: inout some Fields) {
            fields.optional("workers", &workers, default: [], "the workers of `--workers`; only if it was given")
            fields.optional("labels", &labels, default: [], "the labels of `--labels`; only if it was given")
            fields.optional("exclude", &exclude, default: [], "the workers of `--exclude`; only if it was given")
        }

        func check(_ report: RecordReport) {
            if !workers.isEmpty, !labels.isEmpty {
                report.error("labels", "a plan is for workers by their names or by their labels, not by both")
            }
        }
    }
}
