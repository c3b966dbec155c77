public import Model
internal import YAML

/// Names workers in as little room as their number needs: few one by one, many as ranges and counts.
public enum WorkerList {
    /// Workers or ranges that are shown; the others are counted.
    private static let limit = 8
    /// Up to here workers are named one by one.
    private static let fewest = 6

    /// For one line of a terminal.
    public static func text(_ workers: [WorkerName]) -> String { phrase(workers).terminal }

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

    /// Whether `next` is `name` with one of its numbers counted up: `w9`, `w10`; `node-01.lan`, `node-02.lan`.
    private static func follows(_ next: String, _ name: String) -> Bool {
        let (next, name) = (Array(next.utf8), Array(name.utf8))
        guard let first = zip(next, name).enumerated().first(where: { $1.0 != $1.1 })?.offset else { return false }
        // The number may have begun before the digit in which it differs.
        let start = name[..<first].lastIndex { !isDigit($0) }.map { $0 + 1 } ?? 0
        let digits = name[start...].prefix(while: isDigit)
        let nextDigits = next[start...].prefix(while: isDigit)
        guard name[digits.endIndex...] == next[nextDigits.endIndex...],
            let number = Int(String(decoding: digits, as: UTF8.self)),
            let nextNumber = Int(String(decoding: nextDigits, as: UTF8.self)), nextNumber - 1 == number
        else { return false }
        let isPadded = digits.first == UInt8(ascii: "0") || nextDigits.first == UInt8(ascii: "0")
        return !isPadded || digits.count == nextDigits.count
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
