import Foundation
import Testing

@testable import Approvals

@Suite struct EffectivePolicyTests {
    /// Not below a folder with links.
    private static func folder() throws -> String {
        let path = URL(fileURLWithPath: NSTemporaryDirectory() + "approval-\(UInt64.random(in: .min ... .max))")
        try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
        return path.resolvingSymlinksInPath().path
    }

    private func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
    }

    @Test func theHostsPolicyBelongsToRootAndHolds() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try write("a ssh-ed25519 AAAA\n", folder + "/a")
        for name in ["host", "mine"] {
            try write("approvals_required = 2\nallowed_signers = \"a\"\n", "\(folder)/\(name)")
        }
        func find(_ host: String, _ mine: String?) throws -> EffectivePolicy? {
            try EffectivePolicy.find(
                hostPath: folder + "/" + host, operatorPath: mine.map { folder + "/" + $0 }, bucketFolder: "/nowhere")
        }
        #expect(try find("absent", nil) == nil)
        #expect(try find("absent", "mine")?.path == folder + "/mine")
        try FileManager.default.createSymbolicLink(atPath: folder + "/link", withDestinationPath: folder + "/nowhere")
        let link = #expect(throws: ApprovalProblem.self) { try find("link", nil) }
        #expect(link?.description.contains("is a symbolic link") == true)
        guard getuid() == 0 else {
            let problem = #expect(throws: ApprovalProblem.self) { try find("host", nil) }
            #expect(problem?.description.contains("has to belong to root") == true)
            return
        }
        #expect(try find("host", nil)?.path == folder + "/host")
        let both = #expect(throws: ApprovalProblem.self) { try find("host", "mine") }
        #expect(both?.description.contains("which holds") == true)
        chown(folder + "/host", 12345, 12345)
        let other = #expect(throws: ApprovalProblem.self) { try find("host", nil) }
        #expect(other?.description.contains("belongs to the user 12345") == true)
        chown(folder + "/host", 0, 0)
        chown(folder + "/a", 12345, 12345)
        let list = #expect(throws: ApprovalProblem.self) { try find("host", nil) }
        #expect(list?.description.contains("/a belongs to the user 12345") == true)
    }
}
