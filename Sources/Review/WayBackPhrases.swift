internal import Model
internal import Plans

// What a plan says of ways back, for every format.

extension Plan {
    /// When the stops come, as a title.
    var stopsTitle: String {
        if origin?.isPartOfRun == true { return "Way back, stops after its last wave" }
        return stopsAreLast ? "Stops, after the last wave" : "Stops, before the first wave"
    }

    /// What the title of a wave begins with.
    var waveTitle: String { origin?.isPartOfRun == true ? "Way back, wave" : "Wave" }

    /// The way back of the plan with what is said of it first; nil if it has none.
    var wayBackPart: (plan: Plan, facts: [Phrase])? {
        guard let back = wholeWayBack, let wayBack else { return nil }
        var facts: [Phrase] = [
            "If a job fails, no batch begins any more. Then this is done for what was begun or promoted until then, and for "
                + "nothing else; what is broken comes first in each job. Once begun, the way back goes on outside of the "
                + "window, in freezes, and without approvals that have lapsed."
        ]
        if back.isEmpty { facts.append("nothing of this plan can be taken back") }
        return (back, facts + wayBack.remains.phrases)
    }
}

extension WayBack.Remains {
    /// What is not taken back.
    var phrases: [Phrase] {
        var phrases: [Phrase] = []
        for job in stopped {
            phrases.append("stays stopped, since the run stops it: \(job.name) on \(WorkerList.phrase(job.value))")
        }
        for job in hooks {
            phrases.append(
                "is not taken back: what \(job.value.map { "\($0)" as Phrase }.list()) of \(job.name) "
                    + "\(own: job.value.count == 1 ? "does" : "do") elsewhere, and what "
                    + "\(own: job.value.count == 1 ? "it stores" : "they store")")
        }
        return phrases
    }
}

extension Deploy.Origin {
    /// What a review says of it first.
    var facts: [HeadFact] {
        var fact = HeadFact(
            phrase: "files, manifest, hooks and checks are those of before that run")
        fact.details = remains.phrases
        return [fact]
    }
}
