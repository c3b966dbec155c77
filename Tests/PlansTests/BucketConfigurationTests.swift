import Model
import Plans
import Testing
import YAML

@Suite struct BucketConfigurationTests {
    private func read(_ text: String) throws -> BucketConfiguration {
        try BucketConfiguration.read(Array("bucket_id = \"b\"\n\(text)\n".utf8), file: "maand.conf")
    }

    @Test(arguments: [
        ("h", nil, "h", 22), ("u@h:23", "u", "h", 23), ("::1", nil, "::1", 22), ("u@[::1]:23", "u", "::1", 23),
        ("[fe80::1]", nil, "fe80::1", 22), ("[h]:24", nil, "h", 24),
    ])
    func jumpHosts(_ text: String, _ user: String?, _ host: String, _ port: Int) throws {
        let jump = try #require(try read("jump_host = \"\(text)\"").jumpHost)
        #expect(jump.user == user && jump.host == host && jump.port == port)
    }

    @Test(arguments: ["@h", "u@", "[::1", "[]:22", "[::1]22", "[::1]:0", "u@[::1]:x", "h:", "@[::1]:22"])
    func whatIsNoJumpHost(_ text: String) {
        let error = #expect(throws: InputFailure.self) { try read("jump_host = \"\(text)\"") }
        #expect(error?.description.contains("maand.conf:2:1: error: `jump_host` has the form") == true)
    }

    @Test func virtualEnvironments() throws {
        let api = try #require(JobName("api"))
        let dotted = try #require(JobName("a.b"))
        #expect(try read("").hookVenvs.isEmpty)
        let inline = try read("hook_venvs = {api = \"/opt/a\", \"a.b\" = \"/opt/b\"}")
        #expect(inline.hookVenvs == [api: "/opt/a", dotted: "/opt/b"])
        #expect(try read("[hook_venvs]\napi = \"/opt/a\"").hookVenvs == [api: "/opt/a"])
        // The line that is given is one that can be read, and keeps what is there.
        let web = try #require(JobName("web"))
        let line = try #require(inline.adviceOnVenvs(of: [web]).split(separator: "conf: ").last)
        #expect(
            try read(String(line)).hookVenvs == [api: "/opt/a", dotted: "/opt/b", web: "/opt/maand/venvs/web"])
    }

    @Test(arguments: ["venv", "/a/../b", "/a/", "", "/a//b"])
    func whatIsNoVirtualEnvironment(_ path: String) {
        let error = #expect(throws: InputFailure.self) { try read("hook_venvs = {api = \"\(path)\"}") }
        #expect(error?.description.contains("`hook_venvs` of api has to be an absolute path") == true)
    }

    @Test func everyErrorHasItsPlace() {
        let empty = #expect(throws: InputFailure.self) { try read("  ssh_user = \"\"") }
        #expect(empty?.description.contains("maand.conf:2:3: error: `ssh_user` may not be empty") == true)
        let windows = #expect(throws: InputFailure.self) { try read("ssh_port = 23\r\nuse_sudoo = true\r\n") }
        #expect(windows?.description.contains("maand.conf:3:1: error: `use_sudoo` is not a known key") == true)
    }

    @Test func keysThatMaandWouldIgnoreAreWarnings() throws {
        let warnings = try read("ssh_port = 23\r\nbogus = 1\r\n").warnings
        #expect(warnings.map(\.message) == ["`bogus` is not a known key: it means nothing here"])
        #expect(warnings.first?.mark == Mark(line: 3, column: 1))
    }
}
