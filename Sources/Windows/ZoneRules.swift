public import Model

/// When a zone's clocks are set: one entry of the IANA time-zone database, as a value.
///
/// Read from a TZif file (RFC 9636). Foundation's `TimeZone` would use the data that came with the toolchain; the system's
/// is the one that administrators keep up to date.
public struct ZoneRules: Equatable, Sendable {
    /// Instants (seconds since 1970) at which the offset becomes that of `offsets` at the same place.
    private var transitions: [Int64]
    /// Seconds east of UTC, one more than transitions: the first one holds before all of them.
    private var offsets: [Int]
    /// What holds after the last transition.
    private var tail: PosixZone?

    /// No offset and no transition.
    public static let utc = ZoneRules(transitions: [], offsets: [0], tail: nil)

    private init(transitions: [Int64], offsets: [Int], tail: PosixZone?) {
        self.transitions = transitions
        self.offsets = offsets
        self.tail = tail
    }

    /// What a clock of the zone shows, and how far it is east of UTC.
    public func local(_ instant: Timestamp) -> (time: CivilTime, offset: Int) {
        let offset = offset(at: instant.seconds)
        return (CivilTime(clockSeconds: instant.seconds + Int64(offset)), offset)
    }

    /// `Thu 2026-12-17 22:00:00 +01:00`, for people.
    public func text(_ instant: Timestamp) -> String {
        let (time, offset) = local(instant)
        let weekday = time.date.weekday.rawValue
        let day = weekday.prefix(1).uppercased() + weekday.dropFirst()
        let minutes = abs(offset) / 60
        return "\(day) \(time.date.text) \(CivilTime.text(ofDay: time.second)) \(offset < 0 ? "-" : "+")"
            + CivilDate.padded(minutes / 60) + ":" + CivilDate.padded(minutes % 60)
    }

    /// When clocks of the zone show this time.
    ///
    /// A time that occurs twice is taken where it occurs first. One that does not occur becomes the instant at which the
    /// clocks were set forward over it, and `isShifted` says so.
    public func instant(of time: CivilTime) -> (instant: Timestamp, isShifted: Bool) {
        let wall = time.clockSeconds
        // No zone is or was further than 26 hours from UTC (RFC 9636, 3.2, allows 25 and less).
        var from = wall - 26 * 3600
        let end = wall + 26 * 3600
        var offset = offset(at: from)
        while true {
            let next = nextTransition(after: from)
            let candidate = wall - Int64(offset)
            if candidate < (next ?? .max) {
                // Before the segment: its clocks began after this time, so they were set forward over it.
                return candidate >= from ? (Timestamp(seconds: candidate), false) : (Timestamp(seconds: from), true)
            }
            guard let next, next <= end else { return (Timestamp(seconds: candidate), false) }
            from = next
            offset = self.offset(at: next)
        }
    }

    private func offset(at instant: Int64) -> Int {
        if let tail, instant >= transitions.last ?? .min { return tail.offset(at: instant) }
        return offsets[count(upTo: instant)]
    }

    /// The first instant after this one at which the offset may change.
    private func nextTransition(after instant: Int64) -> Int64? {
        let index = count(upTo: instant)
        if index < transitions.count { return transitions[index] }
        return tail?.nextTransition(after: instant)
    }

    /// How many transitions are not after the instant.
    private func count(upTo instant: Int64) -> Int {
        var low = 0
        var high = transitions.count
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle] <= instant { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

// MARK: Reading

extension ZoneRules {
    /// Reads a TZif file of version 2 or later; nil for anything else, and for data with leap seconds.
    public init?(tzif bytes: [UInt8]) {
        // The first block is for readers of version 1; the second has 64-bit instants.
        guard let old = Header(bytes, at: 0), old.version >= UInt8(ascii: "2") else { return nil }
        let start = Header.size + old.bodySize(timeSize: 4)
        guard let header = Header(bytes, at: start), header.leapCount == 0 else { return nil }
        let body = start + Header.size
        let end = body + header.bodySize(timeSize: 8)
        guard end < bytes.count, header.typeCount > 0 else { return nil }
        let kinds = body + header.timeCount * 8
        let types = kinds + header.timeCount
        var typeOffsets: [Int] = []
        for index in 0..<header.typeCount {
            typeOffsets.append(Int(Int32(truncatingIfNeeded: Self.number(bytes, types + index * 6, 4))))
        }
        guard typeOffsets.allSatisfy({ abs($0) <= 26 * 3600 }) else { return nil }
        transitions = (0..<header.timeCount).map { Self.number(bytes, body + $0 * 8, 8) }
        offsets = [typeOffsets[0]]
        for index in 0..<header.timeCount {
            let kind = Int(bytes[kinds + index])
            guard kind < typeOffsets.count else { return nil }
            offsets.append(typeOffsets[kind])
        }
        guard zip(transitions, transitions.dropFirst()).allSatisfy({ $0 < $1 }) else { return nil }
        // The footer: a line feed, a zone as in POSIX's TZ or nothing, a line feed.
        guard bytes[end] == 0x0a, let close = bytes[(end + 1)...].firstIndex(of: 0x0a) else { return nil }
        let footer = bytes[(end + 1)..<close]
        if !footer.isEmpty {
            guard let zone = PosixZone(String(decoding: footer, as: UTF8.self)) else { return nil }
            tail = zone
        }
    }

    private struct Header {
        static let size = 44
        let version: UInt8
        let isUTCount, isStdCount, leapCount, timeCount, typeCount, charCount: Int

        init?(_ bytes: [UInt8], at start: Int) {
            guard start + Self.size <= bytes.count, bytes[start..<start + 4].elementsEqual("TZif".utf8) else {
                return nil
            }
            version = bytes[start + 4]
            let counts = (0..<6).map { Int(ZoneRules.number(bytes, start + 20 + $0 * 4, 4)) }
            // No zone has nearly so many; a damaged file must not make anybody allocate.
            guard counts.allSatisfy({ (0...100_000).contains($0) }) else { return nil }
            (isUTCount, isStdCount, leapCount) = (counts[0], counts[1], counts[2])
            (timeCount, typeCount, charCount) = (counts[3], counts[4], counts[5])
        }

        func bodySize(timeSize: Int) -> Int {
            timeCount * (timeSize + 1) + typeCount * 6 + charCount + leapCount * (timeSize + 4) + isStdCount + isUTCount
        }
    }

    /// A big-endian number; the sign is that of eight bytes.
    private static func number(_ bytes: [UInt8], _ start: Int, _ size: Int) -> Int64 {
        var value: UInt64 = 0
        for byte in bytes[start..<start + size] { value = value << 8 | UInt64(byte) }
        return Int64(bitPattern: value)
    }
}
