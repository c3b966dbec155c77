internal import Model
internal import YAML

/// Names workers in as little room as their number needs: few one by one, many as ranges and counts.
enum WorkerList {
    /// Workers or ranges that are shown; the others are counted.
    private static let limit = 8
    /// Up to here workers are named one by one.
    private static let fewest = 6

    /// For one line of a terminal.
    static func text(_ workers: [WorkerName]) -> String { phrase(workers).terminal }

    /// - Parameter workers: in the order in which they act; neighbours whose names count up by one become a range.
    static func phrase(_ workers: [WorkerName]) -> Phrase {
        if workers.count <= fewest { return workers.map { "\($0)" }.list() }
        var shown: [Phrase] = []
        var covered = 0
        var index = workers.startIndex
        while index < workers.endIndex, shown.count < limit {
            let end = endOfRange(workers, from: index)
            let count = end - index
            if count > 2 {
                shown.append("\(workers[index]) … \(workers[end - 1]) (\(count))")
                covered += count
                index = end
            } else {
                shown.append("\(workers[index])")
                covered += 1
                index += 1
            }
        }
        let rest = workers.count - covered
        if rest > 0 { shown.append("and \(rest) more") }
        return shown.list()
    }

    private static func endOfRange(_ workers: [WorkerName], from start: Int) -> Int {
        var end = start + 1
        while end < workers.count, follows(workers[end].text, workers[end - 1].text) { end += 1 }
        return end
    }

    /// Whether `next` is `name` with the number at its end, or the last but one of an address, counted up.
    private static func follows(_ next: String, _ name: String) -> Bool {
        let (prefix, digits) = split(name)
        let (nextPrefix, nextDigits) = split(next)
        guard prefix == nextPrefix, let number = Int(digits), let nextNumber = Int(nextDigits) else { return false }
        let isPadded = digits.hasPrefix("0") || nextDigits.hasPrefix("0")
        return nextNumber == number + 1 && (!isPadded || digits.count == nextDigits.count)
    }

    private static func split(_ name: String) -> (Substring, Substring) {
        let digits = name.reversed().prefix { $0.isASCII && $0.isNumber }.count
        return (name.dropLast(digits), name.suffix(digits))
    }
}
