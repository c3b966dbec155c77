/// The lines in which two texts differ, in hunks with their surroundings (the algorithm is Myers', "An O(ND) difference
/// algorithm and its variations", 1986), bounded in time and memory.
struct LineDiff {
    enum Kind: Hashable {
        case context, added, removed
    }

    struct Line: Equatable {
        let kind: Kind
        /// Index into the lines of the new text; of the old one for removed lines.
        let index: Int
    }

    /// Neighbouring changes with the lines around them.
    struct Hunk: Equatable {
        /// Numbers of the first lines, from 1; 0 where that side has no lines here, as `diff -u` has it.
        let oldStart: Int
        let oldCount: Int
        let newStart: Int
        let newCount: Int
        let lines: [Line]
    }

    let hunks: [Hunk]

    /// Lines that a text may have.
    static let maximumLines = 20_000
    /// Lines that may differ where anything of both texts stays. Time grows with lines x this, memory with its square.
    static let maximumChanges = 400
    /// Lines that are shown around a change.
    static let context = 3

    /// Nil where the texts have too many lines or differ in too many.
    init?(_ old: [Substring], _ new: [Substring]) {
        guard old.count <= Self.maximumLines, new.count <= Self.maximumLines else { return nil }
        var numbers: [Substring: Int32] = [:]
        func number(_ line: Substring) -> Int32 {
            if let number = numbers[line] { return number }
            let number = Int32(numbers.count)
            numbers[line] = number
            return number
        }
        let a = old.map(number)
        let b = new.map(number)
        guard let script = Self.script(a, b) else { return nil }
        hunks = Self.hunks(script)
    }

    /// Every line of both texts, in the order in which a diff shows them; nil where there are too many changes.
    private static func script(_ a: [Int32], _ b: [Int32]) -> [Line]? {
        var head = 0
        while head < a.count, head < b.count, a[head] == b[head] { head += 1 }
        var tail = 0
        while tail < a.count - head, tail < b.count - head, a[a.count - 1 - tail] == b[b.count - 1 - tail] { tail += 1 }
        let (endA, endB) = (a.count - tail, b.count - tail)
        var lines = (0..<head).map { Line(kind: .context, index: $0) }
        if head == endA {
            lines += (head..<endB).map { Line(kind: .added, index: $0) }
        } else if head == endB {
            lines += (head..<endA).map { Line(kind: .removed, index: $0) }
        } else {
            guard let middle = myers(a[head..<endA], b[head..<endB]) else { return nil }
            lines += middle
        }
        return lines + (endB..<b.count).map { Line(kind: .context, index: $0) }
    }

    private static func myers(_ a: ArraySlice<Int32>, _ b: ArraySlice<Int32>) -> [Line]? {
        let limit = min(a.count + b.count, maximumChanges)
        // For each number of changes the furthest x on every diagonal, to walk back through.
        var history: [[Int32]] = []
        var furthest = [Int32](repeating: 0, count: 2 * limit + 3)
        for changes in 0...limit {
            for diagonal in stride(from: -changes, through: changes, by: 2) {
                let at = diagonal + limit + 1
                let down =
                    diagonal == -changes || (diagonal != changes && furthest[at - 1] < furthest[at + 1])
                var x = Int(down ? furthest[at + 1] : furthest[at - 1] + 1)
                var y = x - diagonal
                while x < a.count, y < b.count, a[a.startIndex + x] == b[b.startIndex + y] {
                    x += 1
                    y += 1
                }
                furthest[at] = Int32(x)
                if x >= a.count, y >= b.count {
                    return walkBack(history, a, b, changes: changes, limit: limit)
                }
            }
            history.append(Array(furthest[(limit + 1 - changes)...(limit + 1 + changes)]))
        }
        return nil
    }

    /// - Parameter history: for d changes the diagonals -d ... d.
    private static func walkBack(
        _ history: [[Int32]], _ a: ArraySlice<Int32>, _ b: ArraySlice<Int32>, changes: Int, limit: Int
    ) -> [Line] {
        var lines: [Line] = []
        var (x, y) = (a.count, b.count)
        for step in stride(from: changes, to: 0, by: -1) {
            let before = history[step - 1]
            func reached(_ diagonal: Int) -> Int {
                let index = diagonal + step - 1
                return before.indices.contains(index) ? Int(before[index]) : -1
            }
            let diagonal = x - y
            let down = diagonal == -step || (diagonal != step && reached(diagonal - 1) < reached(diagonal + 1))
            let previous = down ? diagonal + 1 : diagonal - 1
            let startX = reached(previous)
            let startY = startX - previous
            let (afterX, afterY) = down ? (startX, startY + 1) : (startX + 1, startY)
            while x > afterX, y > afterY {
                x -= 1
                y -= 1
                lines.append(Line(kind: .context, index: b.startIndex + y))
            }
            if down {
                y -= 1
                lines.append(Line(kind: .added, index: b.startIndex + y))
            } else {
                x -= 1
                lines.append(Line(kind: .removed, index: a.startIndex + x))
            }
        }
        while x > 0, y > 0 {
            x -= 1
            y -= 1
            lines.append(Line(kind: .context, index: b.startIndex + y))
        }
        return lines.reversed()
    }

    private static func hunks(_ lines: [Line]) -> [Hunk] {
        var hunks: [Hunk] = []
        var (old, new) = (0, 0)
        // Line numbers before each line of the script.
        var places: [(old: Int, new: Int)] = []
        places.reserveCapacity(lines.count)
        for line in lines {
            places.append((old, new))
            if line.kind != .added { old += 1 }
            if line.kind != .removed { new += 1 }
        }
        var next = lines.firstIndex { $0.kind != .context }
        while let first = next {
            let start = max(0, first - context)
            var last = first
            var at = first + 1
            while at < lines.count, at - last <= 2 * context {
                if lines[at].kind != .context { last = at }
                at += 1
            }
            let end = min(lines.count, last + context + 1)
            let part = Array(lines[start..<end])
            let oldCount = part.count { $0.kind != .added }
            let newCount = part.count { $0.kind != .removed }
            hunks.append(
                Hunk(
                    oldStart: oldCount == 0 ? places[start].old : places[start].old + 1, oldCount: oldCount,
                    newStart: newCount == 0 ? places[start].new : places[start].new + 1, newCount: newCount,
                    lines: part))
            next = lines[end...].firstIndex { $0.kind != .context }
        }
        return hunks
    }
}
