/// How parts of a text are set off from each other on a terminal.
struct Style {
    /// Without colours every part is plain text.
    let hasColor: Bool

    enum Part {
        case heading, name, start, change, stop, detail

        fileprivate var code: String {
            switch self {
            case .heading, .name: "1"
            case .start: "32"
            case .change: "33"
            case .stop: "31"
            case .detail: "2"
            }
        }
    }

    /// - Parameter text: escaped already.
    func callAsFunction(_ part: Part, _ text: String) -> String {
        hasColor ? "\u{1b}[\(part.code)m\(text)\u{1b}[0m" : text
    }
}
