/// Strikes values out of what hooks print.
public enum Redaction {
    private static let mark = Array("***".utf8)
    /// Shorter values are part of too much that is no secret.
    /// Bytes.
    public static let shortest = 4

    /// `bytes` with every occurrence of the values replaced, and of the end of a value at their beginning, where the output
    /// may have been cut.
    public static func strike(_ values: [String], from bytes: [UInt8]) -> [UInt8] {
        let values = Set(values).map { Array($0.utf8) }.filter { $0.count >= shortest }.sorted { $0.count > $1.count }
        if values.isEmpty { return bytes }
        let firsts = Set(values.map { $0[0] })
        var struck: [UInt8] = []
        struck.reserveCapacity(bytes.count)
        var position = cutPrefix(values, bytes)
        if position > 0 { struck += mark }
        while position < bytes.count {
            if firsts.contains(bytes[position]),
                let value = values.first(where: { bytes[position...].starts(with: $0) })
            {
                struck += mark
                position += value.count
            } else {
                struck.append(bytes[position])
                position += 1
            }
        }
        return struck
    }

    /// How many of the first bytes are the end of a value.
    private static func cutPrefix(_ values: [[UInt8]], _ bytes: [UInt8]) -> Int {
        values.lazy.map { value in
            let lengths = shortest..<max(shortest, value.count)
            return lengths.last { bytes.starts(with: value.suffix($0)) } ?? 0
        }.max() ?? 0
    }
}
