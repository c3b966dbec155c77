package import Model
package import Plans

/// Why a run cannot begin, or go on, with the workers of its plan. This process has begun nothing.
package enum UnfitWorkers: Error {
    /// What the workers lack, each beginning with the worker's name.
    ///
    /// - Parameters:
    ///   - run: the run that has begun and stays unfinished; nil where nothing has begun.
    ///   - excess: jobs of which more workers cannot be used than `max_unreachable` allows, as sentences.
    case notReady(_ run: RunID?, [String], excess: [String])
    /// At the addresses of these workers are other machines than those that the plan takes them for.
    case otherMachines([Plan.Rename])
}
