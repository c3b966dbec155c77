/// Strikes values out of what hooks print.
public enum Redaction {
    private static let mark = Array("***".utf8)
    /// Shorter values are part of too much that is no secret.
    /// Bytes.
    public static let shortest = 4

    /// `bytes` with every occurrence of the values replaced, in the forms of `SecretForms`, and of the end of one at their
    /// beginning, where the output may have been cut.
    public static func strike(_ values: [String], from bytes: [UInt8]) -> [UInt8] {
        if bytes.isEmpty { return bytes }
        var forms: [[UInt8]: Int] = [:]
        for value in Set(values.map { Array($0.utf8) }) where value.count >= shortest {
            for form in SecretForms.of(value) {
                forms[form.bytes] = min(forms[form.bytes] ?? form.shortestEnd, form.shortestEnd)
            }
        }
        if forms.isEmpty { return bytes }
        var struck: [UInt8] = []
        struck.reserveCapacity(bytes.count)
        let index = Index(forms.keys)
        var position = cutPrefix(forms, bytes)
        // The output may also begin with a whole one.
        if (index.match(bytes, at: 0) ?? 0) > position { position = 0 }
        if position > 0 { struck += mark }
        while position < bytes.count {
            if let length = index.match(bytes, at: position) {
                struck += mark
                position += length
            } else {
                struck.append(bytes[position])
                position += 1
            }
        }
        return struck
    }

    /// The forms by their first four bytes, the longest first.
    private struct Index {
        private var forms: [UInt32: [[UInt8]]] = [:]
        private var firsts = [Bool](repeating: false, count: 256)

        init(_ all: some Sequence<[UInt8]>) {
            for form in all where form.count >= shortest {
                firsts[Int(form[0])] = true
                forms[Self.word(form, 0), default: []].append(form)
            }
            for key in forms.keys { forms[key]?.sort { $0.count > $1.count } }
        }

        /// How long the longest form is that begins there; nil where none does.
        func match(_ bytes: [UInt8], at position: Int) -> Int? {
            guard firsts[Int(bytes[position])], position + 4 <= bytes.count else { return nil }
            return forms[Self.word(bytes, position)]?.first { bytes[position...].starts(with: $0) }?.count
        }

        private static func word(_ bytes: [UInt8], _ position: Int) -> UInt32 {
            bytes[position..<position + 4].reduce(0) { $0 << 8 | UInt32($1) }
        }
    }

    /// How many of the first bytes are the end of a form.
    private static func cutPrefix(_ forms: [[UInt8]: Int], _ bytes: [UInt8]) -> Int {
        // Knuth, Morris and Pratt: for every prefix of the output, how much of its end is its beginning, too.
        let longest = min(bytes.count, forms.keys.lazy.map(\.count).max() ?? 0)
        var borders = [0]
        var border = 0
        for next in bytes[..<longest].dropFirst() {
            while border > 0, bytes[border] != next { border = borders[border - 1] }
            if bytes[border] == next { border += 1 }
            borders.append(border)
        }
        func end(of form: [UInt8]) -> Int {
            var matched = 0
            for byte in form.dropFirst() {
                while matched > 0, matched == longest || bytes[matched] != byte { matched = borders[matched - 1] }
                if bytes[matched] == byte { matched += 1 }
            }
            return matched
        }
        return forms.lazy.map { form, shortestEnd in
            let length = end(of: form)
            return length >= shortestEnd ? length : 0
        }.max() ?? 0
    }
}
