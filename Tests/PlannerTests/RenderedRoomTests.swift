import Model
import Testing
import YAML

@testable import Planner

@Suite struct RenderedRoomTests {
    @Test func whatTemplatesOfAPlanBecomeIsBounded() throws {
        let bytes = [UInt8](repeating: 0x61, count: 100 << 20)
        let entry = TreeEntry(path: "big.conf", kind: .file, digest: Digest.of(bytes), size: bytes.count)
        let file = JobRenderer.File(template: "jobs/api/big.conf.tpl", entry: entry, bytes: bytes)
        var room = RenderedRoom()
        try room.take(file)
        try room.take(file)
        let failure = #expect(throws: InputFailure.self) { try room.take(file) }
        #expect(
            failure?.description == """
                jobs/api/big.conf.tpl:1:1: error: templates become more than 256 MiB in one plan
                  note: plan some of the jobs at a time, with --jobs, or let the templates write less
                """)
    }
}
