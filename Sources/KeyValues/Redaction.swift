/// Strikes values out of what hooks print.
public enum Redaction {
    private static let mark = Array("***".utf8)
    /// Shorter values are part of too much that is no secret.
    /// Bytes.
    public static let shortest = 4

    /// `bytes` with every occurrence of the values replaced, in the forms of `SecretForms`, and of the end of one at their
    /// beginning, where the output may have been cut. Where that cannot be done, a line that says why.
    ///
    /// It takes a second or two at most, and memory for no more than a few forms beside the values.
    public static func strike(_ secrets: StruckSecrets, from bytes: [UInt8]) -> [UInt8] {
        if bytes.isEmpty { return bytes }
        if let obstacle = secrets.obstacle { return Array(obstacle.note.utf8) }
        if secrets.isEmpty { return bytes }
        var output = SearchedOutput(bytes)
        for value in secrets.values where value.utf8.count >= shortest {
            SecretForms.forEach(of: Array(value.utf8)) { output.search($0) }
            if output.isGivenUp { return Array(StruckSecrets.Obstacle.tooSlow.note.utf8) }
        }
        return strike(output, from: bytes)
    }

    private static func strike(_ output: SearchedOutput, from bytes: [UInt8]) -> [UInt8] {
        var struck: [UInt8] = []
        struck.reserveCapacity(bytes.count)
        var position = output.cut
        // The output may also begin with a whole one.
        if output.longest[0] > position { position = 0 }
        if position > 0 { struck += mark }
        while position < bytes.count {
            let length = output.longest[position]
            if length > 0 {
                struck += mark
                position += length
            } else {
                struck.append(bytes[position])
                position += 1
            }
        }
        return struck
    }
}
