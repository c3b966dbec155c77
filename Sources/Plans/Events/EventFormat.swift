internal import YAML

/// What can be said of the lines of `--events` without one: made from their table.
public enum EventFormat {
    /// The JSON Schema of one line, with a line feed at its end.
    public static var schema: String {
        SchemaBook.schema(
            of: EventLine.self, title: "maand-apply event",
            description:
                "One line of maand-apply --events. A release may add events and fields; programs pass over what they do not know."
        ).text
    }

    /// The events with their fields, in Markdown: a heading and a table for each, without the fields that all have.
    public static var reference: String {
        let sections = SchemaBook.sections(of: EventLine.self)
        let events = zip(EventLine.Word.allCases, sections.first?.forms ?? []).map { word, fields in
            "### \(word.rawValue)\n\n\(word.meaning)\n\n"
                + SchemaBook.Section(
                    title: word.rawValue, meaning: "", forms: [Array(fields.dropFirst(Self.common))]
                ).markdown(marksRequired: false)
        }
        let others = sections.dropFirst().map { section in
            "### \(section.title)\n\n\(section.meaning)\n\n" + section.markdown(marksRequired: false)
        }
        return (events + others).joined(separator: "\n")
    }

    /// `v`, `at`, `run` and `event`.
    private static let common = 4
}

extension EventLine.Word {
    /// When it is written, as a sentence.
    var meaning: String {
        switch self {
        case .opened: "A process begins to write. What it knows of the run follows; what was said before holds no more."
        case .runState: "How the run stands from now on."
        case .jobState: "How a job stands from now on."
        case .stepState:
            "How a step stands from now on that is neither pending nor succeeded, or that was not and now is."
        case .leftBehind: "The run goes on without an allocation or a worker."
        case .takenIn: "What was left behind is a part of the run again."
        case .drained: "Hooks have drained an allocation."
        case .putBack: "A drained allocation was put back."
        case .stepStarted: "The intent of an attempt is about to be recorded."
        case .stepResumed: "An earlier process began the attempt; its worker is asked what became of it."
        case .stepEnded: "An attempt has ended for this process. Promotions that succeed are `promoted` instead."
        case .promoted: "Allocations of a batch were promoted."
        case .renamed: "A worker has shown that it is the one that had another name."
        case .gateWaiting: "A gate has not passed yet, and is asked again."
        case .baking: "A batch is left alone before it has to pass its gate once more."
        case .waiting: "Nothing has ended for a while."
        case .batchAdmitted: "A batch begins that fits into the opening of the window."
        case .batchHeld: "A batch does not begin in this opening of the window; without its name, nothing does."
        case .parking: "Somebody has asked the run to park: what is in flight ends, and nothing new begins."
        case .warning: "Something that a person should know, and that stops nothing."
        case .refused: "The command ends with an error."
        }
    }
}
