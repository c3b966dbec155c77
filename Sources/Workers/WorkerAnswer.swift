internal import Glibc

/// An answer of the worker script, taken apart.
///
/// Only a whole answer is one: output of a command may hold anything, also what looks like an answer, but not this
/// question's nonce; and a connection may be lost anywhere before the record `end`.
struct WorkerAnswer: Sendable, Hashable {
    struct Record: Sendable, Hashable {
        var name: String
        /// What stands on the record's line after its name.
        var text: String
        /// Bytes up to the next record, whatever they are.
        var payload: [UInt8]

        /// The words of the line, at most `count` of them: the last one holds the rest.
        func words(_ count: Int = .max) -> [String] {
            text.split(separator: " ", maxSplits: count - 1, omittingEmptySubsequences: true).map(String.init)
        }
    }

    var records: [Record]

    /// Most records of an answer. An inventory has up to eight for each job; no other one has nearly as many.
    static let recordLimit = 50_000

    subscript(_ name: String) -> Record? { records.first { $0.name == name } }

    /// - Returns: `nil` where the bytes do not hold a whole answer to the question with this nonce.
    init?(_ bytes: [UInt8], nonce: String) {
        let marker = Array("\n@\(nonce) ".utf8)
        var records: [Record] = []
        var position = Self.find(marker, in: bytes, from: 0)
        while let start = position {
            let line = start + marker.count
            guard let end = bytes[line...].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
            // The line feed that ends the line may begin the next marker, of a record without a payload.
            let next = Self.find(marker, in: bytes, from: end)
            let text = String(decoding: bytes[line..<end], as: UTF8.self)
            let name = String(text.prefix { $0 != " " })
            if name == "end" {
                self.records = records
                return
            }
            guard records.count < Self.recordLimit else { return nil }
            let payload = (end + 1)..<max(end + 1, next ?? bytes.count)
            records.append(
                Record(name: name, text: String(text.dropFirst(name.count + 1)), payload: Array(bytes[payload])))
            position = next
        }
        return nil
    }

    private static func find(_ marker: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, bytes.count >= marker.count else { return nil }
            let last = bytes.count - marker.count
            var position = start
            while position <= last, let found = memchr(base + position, Int32(marker[0]), last - position + 1) {
                position = UnsafeRawPointer(found) - base
                if memcmp(base + position, marker, marker.count) == 0 { return position }
                position += 1
            }
            return nil
        }
    }
}
