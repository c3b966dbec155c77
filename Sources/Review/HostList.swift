internal import Model

/// Workers as people name them: few one by one, many as ranges, and of very many how many each zone has, with a digest
/// under which a review lists all of them.
struct HostList: Equatable {
    /// In the order in which they act.
    let workers: [WorkerName]
    private let ranges: [Range]
    /// Whether the review only tells how many there are, so that the names have to stand elsewhere.
    let isLong: Bool
    /// How many each zone has, if that is known of all of them; in the order in which zones are met.
    private(set) var zones: [(zone: String, count: Int)] = []

    /// Up to here workers are named one by one.
    private static let fewest = 6
    /// Numbers and ranges of numbers that are shown; beyond that the list is a digest.
    private static let mostItems = 12
    private static let mostZones = 12

    init(_ workers: [WorkerName]) {
        self.workers = workers
        ranges = workers.count > Self.fewest ? Self.ranges(workers) : []
        isLong = ranges.reduce(0) { $0 + $1.items.count } > Self.mostItems
    }

    static func == (a: Self, b: Self) -> Bool { a.workers == b.workers }

    /// The same for the same workers, in whatever order they are.
    var digest: String {
        String(Digest.of(workers.sorted().map(\.text).joined(separator: "\n").utf8).hex.prefix(12))
    }

    /// - Parameter zones: of workers that have one.
    mutating func group(by zones: [WorkerName: String]) {
        guard isLong else { return }
        var groups: [(zone: String, count: Int)] = []
        var places: [String: Int] = [:]
        for worker in workers {
            guard let zone = zones[worker] else { return }
            let place = places[zone] ?? groups.count
            if place == groups.count {
                if place == Self.mostZones { return }
                places[zone] = place
                groups.append((zone, 0))
            }
            groups[place].count += 1
        }
        self.zones = groups
    }

    /// What a review says in a sentence: names or ranges, with their number if nobody would count them at a glance.
    var short: [Phrase] {
        if workers.count <= Self.fewest { return workers.map { "\($0.text)" } }
        if !isLong {
            let last = ranges.last?.text ?? ""
            return ranges.dropLast().map { "\($0.text)" } + ["\(last) (\(workers.count))"]
        }
        let groups: Phrase
        if zones.count > 1 {
            groups = zones.map { "zone \($0.zone): \($0.count)" as Phrase }.list()
        } else {
            let zone: Phrase = zones.first.map { "zone \($0.zone): " } ?? ""
            groups = zone + "\(workers[0].text) … \(workers[workers.count - 1].text)"
        }
        return ["\(own: Wording.count(workers.count, "host")) (" + groups + ")"]
    }

    /// Every name, in ranges that fit into a line.
    var full: [String] { ranges.flatMap(\.parts) }

    // MARK: Ranges

    /// Names that differ in one number.
    private struct Range {
        var prefix: String
        var suffix: String
        var items: [Item]

        /// A number, or several that count up by one.
        struct Item {
            var first: String
            var last: String

            var text: String { first == last ? first : "\(first)-\(last)" }
        }

        /// Bytes of numbers in one line.
        private static let lineLength = 160

        var text: String { text(items[...]) }

        var parts: [String] {
            var parts: [String] = []
            var start = items.startIndex
            while start < items.endIndex {
                var (end, length) = (start, 0)
                while end < items.endIndex, end == start || length < Self.lineLength {
                    length += items[end].text.utf8.count + 1
                    end += 1
                }
                parts.append(text(items[start..<end]))
                start = end
            }
            return parts
        }

        private func text(_ items: ArraySlice<Item>) -> String {
            if items.count == 1, let item = items.first, item.first == item.last { return prefix + item.first + suffix }
            return "\(prefix)[\(items.map(\.text).joined(separator: ","))]\(suffix)"
        }

        /// - Returns: whether the name belongs here.
        mutating func add(_ name: String) -> Bool {
            guard let last = items.last?.last, name.utf8.count >= prefix.utf8.count + suffix.utf8.count + 1,
                name.hasPrefix(prefix), name.hasSuffix(suffix)
            else { return false }
            let number = String(name.dropFirst(prefix.count).dropLast(suffix.count))
            guard number.utf8.allSatisfy(HostList.isDigit), let value = Int(number), let before = Int(last) else {
                return false
            }
            // With zeros before them, all numbers are of one length.
            if number.hasPrefix("0") || last.hasPrefix("0"), number.count != last.count { return false }
            if value - 1 == before {
                items[items.count - 1].last = number
            } else {
                items.append(Item(first: number, last: number))
            }
            return true
        }
    }

    private static func ranges(_ workers: [WorkerName]) -> [Range] {
        var ranges: [Range] = []
        var index = 0
        while index < workers.count {
            let name = workers[index].text
            let next = index + 1 < workers.count ? workers[index + 1].text : ""
            var range = start(name, next) ?? Range(prefix: name, suffix: "", items: [.init(first: "", last: "")])
            index += 1
            while index < workers.count, range.add(workers[index].text) { index += 1 }
            ranges.append(range)
        }
        return ranges
    }

    /// A range of the name alone, by the number in which the next one differs; nil if they differ in more.
    private static func start(_ name: String, _ next: String) -> Range? {
        let (bytes, other) = (Array(name.utf8), Array(next.utf8))
        guard let differs = zip(bytes, other).enumerated().first(where: { $1.0 != $1.1 })?.offset else { return nil }
        // The number may have begun before the digit in which it differs.
        let start = bytes[..<differs].lastIndex { !isDigit($0) }.map { $0 + 1 } ?? 0
        let number = bytes[start...].prefix(while: isDigit)
        let range = Range(
            prefix: String(decoding: bytes[..<start], as: UTF8.self),
            suffix: String(decoding: bytes[number.endIndex...], as: UTF8.self),
            items: [
                .init(first: String(decoding: number, as: UTF8.self), last: String(decoding: number, as: UTF8.self))
            ])
        var trial = range
        return number.isEmpty || !trial.add(next) ? nil : range
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
