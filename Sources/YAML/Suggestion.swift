/// Finds what somebody probably meant to type.
public enum Suggestion {
    /// The candidate with the fewest typing errors (letters added, left out, replaced, or two neighbours exchanged;
    /// case and `-` for `_` are not errors), where those are few for the length of the word. The first of equals.
    public static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
        let wordBytes = normalized(word)
        guard wordBytes.count <= 64 else { return nil }
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let candidateBytes = normalized(candidate)
            guard abs(candidateBytes.count - wordBytes.count) <= 3, candidateBytes.count <= 64 else { continue }
            let distance = distance(wordBytes, candidateBytes)
            guard distance <= max(1, min(3, candidateBytes.count / 3)), distance < best?.distance ?? .max else {
                continue
            }
            best = (candidate, distance)
        }
        return best?.name
    }

    private static func normalized(_ word: String) -> [UInt8] {
        word.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
            case UInt8(ascii: "-"): UInt8(ascii: "_")
            default: byte
            }
        }
    }

    /// Optimal string alignment distance.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast = [Int](repeating: 0, count: right.count + 1)
        var last = Array(0...right.count)
        for row in left.indices {
            var current = [Int](repeating: row + 1, count: right.count + 1)
            for column in right.indices {
                let replaced = last[column] + (left[row] == right[column] ? 0 : 1)
                current[column + 1] = min(replaced, last[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    current[column + 1] = min(current[column + 1], beforeLast[column - 1] + 1)
                }
            }
            (beforeLast, last) = (last, current)
        }
        return last[right.count]
    }
}
