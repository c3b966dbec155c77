internal import Model
internal import YAML

/// A field that two values of one type do not have in common, with both as they are in a file.
package struct FieldChange: Equatable, Sendable {
    /// The field's name; `batching.first` for the field of a record within.
    package var field: String
    /// Nil if the field is left out.
    package var old: String?
    /// Nil if the field is left out.
    package var new: String?

    /// In the order of the file.
    ///
    /// - Parameter without: fields that are not compared.
    fileprivate static func between<Value: Record>(
        _ old: Value, _ new: Value, without: Set<String> = []
    ) -> [FieldChange] {
        if old == new { return [] }
        let (before, after) = (FieldTexts(old, without: without), FieldTexts(new, without: without))
        let names = before.names + after.names.filter { before.texts[$0] == nil }
        return names.compactMap { name in
            let (old, new) = (before.texts[name], after.texts[name])
            return old == new ? nil : FieldChange(field: name, old: old, new: new)
        }
    }
}

extension Plan {
    /// What differs before the workers and what is done: the kind, the fleet, the options, the policy.
    package func headChanges(to other: Plan) -> [FieldChange] {
        FieldChange.between(
            self, other,
            without: [
                "plan_format", "base", "window", "summary", "workers", "renames", "reconcile", "stop_hooks", "waves",
                "facts", "rollback",
            ])
    }
}

extension PlanWorker {
    package func changes(to other: PlanWorker) -> [FieldChange] {
        FieldChange.between(self, other, without: ["worker"])
    }
}

extension Plan.Stop {
    /// Without the state that the allocation is in.
    package func changes(to other: Plan.Stop) -> [FieldChange] {
        FieldChange.between(self, other, without: ["job", "worker", "version", "content", "unfinished", "stopped"])
    }
}

extension Plan.Entry {
    /// Without the name of the state, which means nothing outside of its plan, and without the paths that match globs.
    package func changes(to other: Plan.Entry) -> [FieldChange] {
        FieldChange.between(self, other, without: ["worker", "from", "matched"])
    }
}

extension Plan.Job {
    /// What differs in the rules of the rollout: not in its allocations, files and hooks.
    package func ruleChanges(to other: Plan.Job) -> [FieldChange] {
        FieldChange.between(
            self, other, without: ["job", "active", "from", "content", "changes", "hooks", "phases"])
    }
}

/// The texts of a record's fields.
struct FieldTexts: Fields {
    private let without: Set<String>
    private var prefix = ""
    private(set) var names: [String] = []
    private(set) var texts: [String: String] = [:]

    fileprivate init<Value: Record>(_ value: Value, without: Set<String>) {
        self.without = without
        var value = value
        value.visit(&self)
    }

    mutating func add(_ name: String, _ text: String) {
        names.append(prefix + name)
        texts[prefix + name] = text
    }

    /// Adds the fields of a record that is the value of a field.
    mutating func inside(_ name: String, _ body: (inout FieldTexts) -> Void) {
        let outer = prefix
        prefix += name + "."
        body(&self)
        prefix = outer
    }

    mutating func required<Kind: FieldType>(
        _ name: String, _ value: inout Kind.Value, _ type: Kind, _ meaning: String
    ) {
        if prefix.isEmpty, without.contains(name) { return }
        type.collect(name, value, into: &self)
    }

    mutating func constant(_ name: String, _ value: Scalar, _ meaning: String) {}
}
