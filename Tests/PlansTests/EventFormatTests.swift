import Foundation
import Model
import Plans
import Testing

/// The lines of `--events`.
@Suite struct EventFormatTests {
    @Test func aLineIsOneLineWhateverStandsInIt() throws {
        var line = EventLine(.warning, at: Timestamp(milliseconds: 1_700_000_000_000))
        line.run = 7
        (line.code, line.detail) = ("hook", "a\nb \u{1b}[2J \"c\" \u{2028}")
        let text = line.json
        #expect(!text.contains { $0.isNewline })
        #expect(text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f })
        let read = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(read["detail"] as? String == line.detail)
        #expect(read["run"] as? Int == 7)
        #expect(read["v"] as? Int == EventLine.version)
    }

    @Test func aLineHasTheFieldsOfItsEventAndNoOthers() throws {
        var line = EventLine(.stepState, at: Timestamp(milliseconds: 5))
        (line.step, line.attempt, line.state, line.job) = ("api/start/1/w1/start", 2, "failed", "api")
        #expect(
            line.json
                == #"{"v":1,"at":5,"event":"step_state","step":"api/start/1/w1/start","attempt":2,"state":"failed"}"#)
    }
}
