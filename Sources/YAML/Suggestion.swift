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

    /// Names of files that were probably meant to be others. A file with a slip in its name is not read: what it protects would
    /// not be protected.
    ///
    /// A name is taken for another one if it differs by one letter, in names of more than 7 letters by two (letter case counts for
    /// nothing), or only by its ending. Hidden files and those that editors and people put beside others (`.bak`, `~`) are
    /// left alone, and so is everything for which the right name is there.
    public static func misspelt(_ names: some Sequence<String>, for known: [String]) -> [(found: String, meant: String)]
    {
        let present = Set(names)
        let missing = known.filter { !present.contains($0) }
        return present.subtracting(known).sorted().compactMap { name in
            if name.hasPrefix(".") || copies.contains(where: name.hasSuffix) { return nil }
            return missing.first { isNearly(name, $0) }.map { (name, $0) }
        }
    }

    private static let copies = ["~", ".bak", ".orig", ".swp", ".example", ".sample", ".tmp", ".old"]
    /// Endings that people confuse.
    private static let endings: Set<Substring> = ["yaml", "yml", "json", "toml", "conf", "cfg", "ini"]

    private static func isNearly(_ name: String, _ meant: String) -> Bool {
        let (left, right) = (normalized(name), normalized(meant))
        guard left.count <= 64 else { return false }
        if distance(left, right) <= (right.count > 7 ? 2 : 1) { return true }
        guard let dot = meant.lastIndex(of: "."), let other = name.lastIndex(of: ".") else { return false }
        return name[..<other] == meant[..<dot] && endings.contains(name[name.index(after: other)...])
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
