import Foundation
import Testing

@testable import Approvals

@Suite struct RevocationListTests {
    private static let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN3uJb54YHU1s6YolHYO6XyoKJTJkWBeGlVfdP/p3zY/"

    private func problem(_ text: String) -> String? { RevocationList.problem(Array(text.utf8)) }

    @Test func keysAndCommentsAreRead() {
        let key = Self.key
        for text in ["", "\n", "# x\n\n", key, key + "\n", "\t \(key) a comment\r\n# y\r\n\(key)\n"] {
            #expect(problem(text) == nil, "\(text)")
        }
    }

    @Test func whatIsNotUnderstoodIsNamedWithItsLine() {
        let key = Self.key
        for (text, line) in [
            ("bob \(key)", 1), ("\(key)\nSHA256:abc\n", 2), ("hash: SHA256:abc", 1), ("namespaces=\"x\" \(key)", 1),
            ("\0\(key)", 1), ("\u{feff}\(key)", 1), ("# list\r\(key)\r", 1), (String(key.dropLast(8)), 1),
            ("\n\n" + key.replacing("ssh-ed25519 ", with: "ssh-rsa "), 3), ("ssh-ed25519", 1), ("ssh-ed25519 !!!!", 1),
        ] {
            #expect(problem(text)?.hasPrefix(":\(line): ") == true, "\(text): \(problem(text) ?? "nil")")
        }
    }

    @Test func aKRLThatWasCutOffIsRefused() {
        let header = Array("SSHKRL\n\0".utf8) + [0, 0, 0, 1] + [UInt8](repeating: 0, count: 24 + 8)
        let section: [UInt8] = [2, 0, 0, 0, 3, 1, 2, 3]
        #expect(RevocationList.problem(header) == nil)
        #expect(RevocationList.problem(header + section) == nil)
        for count in 8..<header.count {
            #expect(RevocationList.problem(Array(header.prefix(count)))?.contains("cut off") == true, "\(count)")
        }
        for count in 1..<section.count {
            #expect(RevocationList.problem(header + section.prefix(count))?.contains("cut off") == true, "\(count)")
        }
    }
}
