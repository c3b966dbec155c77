import Model
import Testing

@testable import Review

@Suite struct WorkerListTests {
    private func text(_ names: [String]) throws -> String {
        WorkerList.text(try names.map { try #require(WorkerName($0)) })
    }

    @Test func fewAreNamedOneByOne() throws {
        #expect(try text([]) == "")
        #expect(try text(["w1", "w2", "w3", "w4", "w5", "w6"]) == "w1, w2, w3, w4, w5, w6")
    }

    @Test func manyBecomeRanges() throws {
        #expect(try text((1...120).map { "web\($0)" }) == "web1 … web120 (120)")
        #expect(try text((8...12).map { "10.0.0.\($0)" } + ["a", "b", "c"]) == "10.0.0.8 … 10.0.0.12 (5), a, b, c")
        #expect(try text(["w098", "w099", "w100", "w101", "x", "y", "z"]) == "w098 … w101 (4), x, y, z")
        #expect(try text(["w09", "w010", "w011", "w012", "x", "y", "z"]) == "w09, w010 … w012 (3), x, y, z")
        #expect(try text((1...9).map { "n-0\($0).a1.lan" }) == "n-01.a1.lan … n-09.a1.lan (9)")
        #expect(try text((1...9).map { "r\($0).w\($0)" }).hasSuffix("and 1 more"))
        #expect(try text(["a", "a1", "a2", "a22", "a23", "1a", "2a"]) == "a, a1, a2, a22, a23, 1a, 2a")
        let largest = (0..<7).map { _ in "w\(Int.max)" } + ["w\(Int.max - 1)"]
        #expect(try text(largest).hasSuffix("w\(Int.max - 1)"))
        #expect(try text(["w9", "w8", "w7", "w6", "w5", "w4", "w3"]) == "w9, w8, w7, w6, w5, w4, w3")
    }

    @Test func theRestIsCounted() throws {
        let odd = (0..<50).map { "w\($0 * 2)" }
        #expect(try text(odd) == "w0, w2, w4, w6, w8, w10, w12, w14, and 42 more")
    }
}
