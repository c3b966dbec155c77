internal import Glibc
public import Model

extension Timestamp {
    /// ISO 8601 to the second, such as `2026-03-01T04:05:06Z`.
    public var utc: String {
        var seconds = time_t(milliseconds / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func two(_ number: Int32) -> String { (number < 10 ? "0" : "") + String(number) }
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
            + "T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
    }

    /// Reads what `utc` writes.
    init?(utc text: String) {
        let fields = text.split { "-T:Z".contains($0) }.compactMap { Int32($0) }
        guard fields.count == 6 else { return nil }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (fields[0] - 1900, fields[1] - 1, fields[2])
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (fields[3], fields[4], fields[5])
        self.init(milliseconds: Int64(timegm(&parts)) * 1000)
        guard utc == text else { return nil }
    }
}
