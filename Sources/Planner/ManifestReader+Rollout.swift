internal import Model
internal import Plans
internal import YAML

/// The block `rollout` of a manifest, which goes beyond Maand.
extension ManifestReader {
    var rollout: InputTable<Manifest> {
        InputTable("rollout", "Rules for batches beyond those of Maand.", blank: Manifest()) { fields in
            fields.optional(
                "batches", \.batches, batchSizes,
                """
                Sizes of the upgrade batches, such as `[1, "25%", "100%"]`. The last size repeats. A share is of the job's active \
                allocations, also if the plan upgrades only some of them, and is at least one host. Use it instead of \
                `max_concurrent_upgrades`; both together are an error.
                """)
            fields.optional(
                "spread", spread, "A tag of the workers, such as `zone`: no batch contains two values of it."
            ) { manifest, tag, node in
                manifest.spread = tag
                manifest.spreadNode = node
            }
            fields.optional(
                "new_hosts", word("rollout.new_hosts"),
                """
                When new allocations start if the plan also upgrades others. `first`: before the upgrades, all together or as \
                `max_concurrent_starts` says; new hosts then get a release before its canary, and the [review](review.md) warns \
                about that. `with`: in the batches of the upgrades, in rollout order. `last`: after the upgrades. Allocations that \
                are enabled again count as new. If nothing is upgraded, it makes no difference. A job with \
                [`job_control`](hooks.md#job_control) always rolls out `with`.
                """, initial: Manifest().newHosts
            ) { manifest, value, node in (manifest.newHosts, manifest.newHostsNode) = (value, node) }
            fields.optional(
                "bake_seconds", \.bakeSeconds, .integer(Plan.Batching.bakeRange),
                """
                After each gate (after each batch, if the job has no health check) the rollout waits for this time. Then the \
                health check must pass once more. A process that continues a killed run waits only for the rest. Ctrl-C parks \
                at once.
                """)
            addLimits(&fields)
        }
    }

    func checkNewHosts(of manifest: Manifest) {
        guard let node = manifest.newHostsNode, manifest.newHosts != .with,
            manifest.commands.contains(where: { $0.events.contains(.jobControl) })
        else { return }
        reader.warn(
            node,
            "job \(job): new_hosts has no effect, since a command of job_control rolls the job out: its new allocations are "
                + "among the others")
    }

    private func addLimits(_ fields: inout InputTable<Manifest>) {
        fields.optional(
            "max_failures", \.maxFailures, .integer(Plan.Batching.failureRange),
            """
            Up to N allocations may fail before no further batch starts. Gates leave them out. A batch in which an allocation is \
            tried again must pass its gate again. The job still fails at its end, and jobs that demand it are blocked, until \
            `--retry-failed` has repaired the failed allocations. A failed `after_allocation_started` hook does not count here: \
            its whole batch is not promoted, and the job fails.
            """)
        fields.optional(
            "max_unreachable", \.maxUnreachable,
            limit("rollout.max_unreachable is a number of hosts, or a share of them such as \"2%\""),
            """
            Up to N allocations, or a share of the job's active allocations such as `"2%"` (rounded down), may be left behind \
            because their workers [cannot be used](operations.md#hosts-that-are-down). 0: every worker must answer.
            """)
        fields.optional(
            "max_unavailable", \.maxUnavailable,
            limit("rollout.max_unavailable is a number of hosts, or a share of them such as \"25%\""),
            """
            Used by [reboot](day-to-day.md#reboot-hosts-in-batches) plans. Up to N allocations, or a share of the job's active \
            allocations such as `"25%"`, may be unavailable at a time. Allocations that are already down, stopped, failing or \
            unfinished count. Rebooting the host of such an allocation takes nothing from the budget, because it is unavailable \
            already. The budget is checked when a plan is made, and again when a batch has its turn. Without it there is no limit \
            of the job: `--concurrency` decides.
            """)
    }

    private var batchSizes: InputType<[HostCount]> {
        let range = 1...1_000_000
        let rule = "a batch is a number of hosts, or a share of them such as \"25%\""
        let size = ValueDescription.either([
            .integer(range), .text("a share such as `\"25%\"`", pattern: "^0*([1-9][0-9]?|100)%$"),
        ])
        return InputType(.list(of: size, least: 1)) { node in
            guard let nodes = reader.sequence(node) else { return nil }
            if nodes.isEmpty { reader.error(node, "job \(job): rollout.batches has no size") }
            return nodes.compactMap { node in
                let size = hostCount(node, range, rule)
                guard size != .percent(0) else {
                    reader.error(node, "job \(job): \(rule), and 0% is none")
                    return nil
                }
                return size
            }
        }
    }

    private var spread: InputType<String> {
        InputType(.filled("a tag")) { node in
            guard let tag = reader.string(node) else { return nil }
            if tag.isEmpty { reader.error(node, "job \(job): rollout.spread names a tag of the workers") }
            return tag.foldedLabel
        }
    }

    /// A number of hosts that may be zero, or a share.
    private func limit(_ rule: String) -> InputType<HostCount> {
        let range = Plan.Batching.unreachableRange
        let description = ValueDescription.either([
            .integer(range), .text("a share such as `\"2%\"`", pattern: "^0*(100|[1-9]?[0-9])%$"),
        ])
        return InputType(description, json: { $0 == .hosts(0) ? .int(0) : nil }) { hostCount($0, range, rule) }
    }

    /// A number, or a share as text.
    private func hostCount(_ node: Node, _ range: ClosedRange<Int>, _ rule: String) -> HostCount? {
        if node.kind == .number { return integer(node, range).map { .hosts($0) } }
        if node.kind == .text, let text = node.text, text.hasSuffix("%"), let count = HostCount(text) { return count }
        reader.error(node, "job \(job): \(rule)")
        return nil
    }
}
