internal import Glibc

/// What stands for a host in a certificate: an address, or a name.
public enum HostText: Equatable, Sendable {
    /// 4 or 16 bytes.
    case address([UInt8])
    case name(String)

    /// Reads an IPv4 or IPv6 address, or a name of labels of letters, digits, `-` and `_`, of which the first may be `*` and
    /// the last is no number; nil for other texts.
    public init?(_ text: String) {
        var four = in_addr()
        var sixteen = in6_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            self = .address(withUnsafeBytes(of: four) { Array($0) })
        } else if inet_pton(AF_INET6, text, &sixteen) == 1 {
            self = .address(withUnsafeBytes(of: sixteen) { Array($0) })
        } else if Self.isName(text) {
            self = .name(text)
        } else {
            return nil
        }
    }

    private static func isName(_ text: String) -> Bool {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= 253, let last = labels.last, !last.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else {
            return false
        }
        return labels.enumerated().allSatisfy { index, label in
            if index == 0, label == "*", labels.count > 2 { return true }
            return (1...63).contains(label.utf8.count) && label.utf8.first != UInt8(ascii: "-")
                && label.utf8.last != UInt8(ascii: "-")
                && label.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                        true
                    case _: false
                    }
                }
        }
    }
}
