import Model
import Testing

@testable import Review

@Suite struct WorkerListTests {
    private func names(_ names: [String]) throws -> [WorkerName] { try names.map { try #require(WorkerName($0)) } }

    private func text(_ names: [String]) throws -> String { WorkerList.text(try self.names(names)) }

    @Test func fewAreNamedOneByOne() throws {
        #expect(try text([]) == "")
        #expect(try text(["w1", "w2", "w3", "w4", "w5", "w6"]) == "w1, w2, w3, w4, w5, w6")
    }

    @Test func manyBecomeRanges() throws {
        #expect(try text((1...120).map { "web\($0)" }) == "web[1-120] (120)")
        #expect(try text((8...12).map { "10.0.0.\($0)" } + ["a", "b", "c"]) == "10.0.0.[8-12], a, b, c (8)")
        #expect(try text(["w098", "w099", "w100", "w101", "x", "y", "z"]) == "w[098-101], x, y, z (7)")
        #expect(try text(["w09", "w010", "w011", "w012", "x", "y", "z"]) == "w09, w[010-012], x, y, z (7)")
        #expect(try text((1...9).map { "n-0\($0).a1.lan" }) == "n-[01-09].a1.lan (9)")
        #expect(try text([1, 2, 3, 7, 10, 11, 12].map { "w\($0)" }) == "w[1-3,7,10-12] (7)")
        #expect(try text((1...7).map { "r\($0).w\($0)" }).hasPrefix("r1.w1, r2.w2, r3.w3, "))
        #expect(try text(["a", "a1", "a2", "a22", "a23", "1a", "2a"]) == "a, a[1-2,22-23], [1-2]a (7)")
        let largest = (0..<7).map { _ in "w\(Int.max)" } + ["w\(Int.max - 1)"]
        #expect(try text(largest).hasSuffix(",\(Int.max - 1)] (8)"))
        #expect(try text(["w9", "w8", "w7", "w6", "w5", "w4", "w3"]) == "w[9,8,7,6,5,4,3] (7)")
    }

    @Test func aListThatIsTooLongIsCountedAndNamedByADigest() throws {
        let odd = try names((0..<50).map { "w\($0 * 2)" })
        let list = HostList(odd)
        #expect(WorkerList.phrase(odd).terminal == "50 hosts (w0 … w98), list \(list.digest)")
        // If no other place could name them, all are there.
        #expect(WorkerList.text(odd).hasPrefix("w[0,2,4,") && WorkerList.text(odd).hasSuffix(",98] (50)"))
        // The same hosts have the same digest, in whatever order they act.
        #expect(list.digest == HostList(odd.reversed()).digest)
        #expect(list.digest != HostList(odd.dropLast()).digest)
        // All of them are named somewhere, in lines that nothing cuts.
        #expect(list.full == ["w[\((0..<50).map { "\($0 * 2)" }.joined(separator: ","))]"])
        let many = HostList(try names((0..<500).map { "w\($0 * 2)" }))
        #expect(many.full.count > 10 && many.full.allSatisfy { $0.utf8.count < 200 })
    }

    @Test func zonesAreCountedIfEveryHostHasOne() throws {
        let odd = try names((0..<50).map { "w\($0 * 2)" })
        let zones = Dictionary(uniqueKeysWithValues: odd.enumerated().map { ($0.element, $0.offset < 20 ? "a" : "b") })
        var phrase = WorkerList.phrase(odd)
        phrase.group(by: zones)
        #expect(phrase.terminal.hasPrefix("50 hosts (zone a: 20, zone b: 30), list "))
        var other = WorkerList.phrase(odd)
        other.group(by: zones.filter { $0.key != odd[3] })
        #expect(other.terminal.hasPrefix("50 hosts (w0 … w98), list "))
    }
}
