internal import Model

/// A sentence of ours with names and texts from a plan in it, which every format has to keep apart: what comes from a
/// plan is escaped and set off as the format demands, our own words are not.
struct Phrase: ExpressibleByStringInterpolation {
    fileprivate enum Piece {
        case own(String)
        case foreign(String)
        /// As `foreign`; in backticks where the format does not set it off by itself.
        case quoted(String)
        case hosts(HostList)
    }

    fileprivate var pieces: [Piece] = []

    init(stringLiteral value: String) { pieces = [.own(value)] }

    init(stringInterpolation: Interpolation) { pieces = stringInterpolation.pieces }

    init() {}

    init(_ hosts: HostList) { pieces = [.hosts(hosts)] }

    struct Interpolation: StringInterpolationProtocol {
        fileprivate var pieces: [Piece] = []

        init(literalCapacity: Int, interpolationCount: Int) {}

        mutating func appendLiteral(_ literal: String) { if !literal.isEmpty { pieces.append(.own(literal)) } }

        mutating func appendInterpolation(_ number: Int) { pieces.append(.own(String(number))) }

        /// Our own words.
        mutating func appendInterpolation(own text: String) { pieces.append(.own(text)) }

        /// Anything that stands in a plan, whatever was checked about it.
        mutating func appendInterpolation(_ text: String) { pieces.append(.foreign(text)) }

        mutating func appendInterpolation(quoted text: String) { pieces.append(.quoted(text)) }

        mutating func appendInterpolation<Kind>(_ name: Name<Kind>) { pieces.append(.foreign(name.text)) }

        mutating func appendInterpolation(_ phrase: Phrase) { pieces += phrase.pieces }
    }

    static func + (a: Phrase, b: Phrase) -> Phrase {
        var sum = a
        sum.pieces += b.pieces
        return sum
    }

    /// On one line of a terminal.
    var terminal: String {
        render(own: { $0 }, foreign: Escaping.terminal, quoted: { "`\($0)`" }, list: { ", list \($0)" })
    }

    /// In Markdown, outside of tables.
    var markdown: String { render(own: { $0 }, foreign: Escaping.code, list: { ", list `\($0)`" }) }

    /// In a cell of a table of Markdown. Renderers disagree on how a vertical bar or a backslash is written inside of a code
    /// span there.
    var cell: String {
        let text = markdown
        return text.contains { $0 == "|" || $0 == "\\" } ? "see below" : text
    }

    var html: String {
        render(
            own: Escaping.entities, foreign: { "<code>\(Escaping.html($0))</code>" },
            list: { ", <a href=\"#hosts-\($0)\">all of them</a>" })
    }

    /// - Parameter list: refers to the place where all hosts of a long list are named.
    private func render(
        own: (String) -> String, foreign: (String) -> String, quoted: (String) -> String = { $0 },
        list: (String) -> String
    ) -> String {
        var out = ""
        for piece in pieces {
            switch piece {
            case .own(let text): out += own(text)
            case .foreign(let text): out += foreign(text)
            case .quoted(let text): out += quoted(foreign(text))
            case .hosts(let hosts):
                out += hosts.short.list().render(own: own, foreign: foreign, list: list)
                if hosts.isLong { out += list(hosts.digest) }
            }
        }
        return out
    }

    // MARK: Hosts

    /// Lists of hosts in it that are too long for a sentence.
    var longLists: [HostList] {
        pieces.compactMap { piece in
            if case .hosts(let hosts) = piece, hosts.isLong { hosts } else { nil }
        }
    }

    /// - Parameter zones: of workers that have one; long lists tell how many hosts each has.
    mutating func group(by zones: [WorkerName: String]) {
        for index in pieces.indices {
            guard case .hosts(var hosts) = pieces[index] else { continue }
            hosts.group(by: zones)
            pieces[index] = .hosts(hosts)
        }
    }
}

extension Sequence<Phrase> {
    func list(_ separator: String = ", ") -> Phrase {
        var sum = Phrase()
        var isFirst = true
        for phrase in self {
            if !isFirst { sum.pieces.append(.own(separator)) }
            sum.pieces += phrase.pieces
            isFirst = false
        }
        return sum
    }
}

extension Collection<Phrase> {
    /// The first ones, and how many more there are: `a, b and 3 more`.
    func list(first limit: Int) -> Phrase {
        let shown = prefix(limit).list()
        return count > limit ? "\(shown) and \(count - limit) more" : shown
    }
}
