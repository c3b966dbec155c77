import ArgumentParser
import Commands
import Testing

@Suite struct TypedArgumentsTests {
    private static func arranged(_ words: String) throws -> String {
        try TypedArguments.arranged(
            words.split(separator: " ").map(String.init), commands: ["status", "run"], flags: ["h", "v"]
        ).joined(separator: " ")
    }

    @Test(arguments: [
        ("--bucket b status 3", "status 3 --bucket b"), ("--bucket b run x -- y", "run x --bucket b -- y"),
        ("--bucket=b --color never status", "status --bucket=b --color never"),
        ("--bucket b a.yaml", "--bucket b a.yaml"), ("status --bucket b", "status --bucket b"),
        // Names of others are no commands.
        ("--bucket status a.yaml", "--bucket status a.yaml"), ("--bucket b -- status", "--bucket b -- status"),
        ("--bucket", "--bucket"), ("--wait status", "--wait status"), ("", ""), ("-hv a", "-hv a"), ("- -h", "- -h"),
        ("a --reason -because", "a --reason -because"), ("a -- -dash.yaml", "a -- -dash.yaml"), ("-o=x -5", "-o=x -5"),
    ]) func optionsMayStandBeforeTheCommand(_ typed: String, _ expected: String) throws {
        #expect(try Self.arranged(typed) == expected)
    }

    @Test(arguments: ["-dash.yaml", "--bucket b -dash.yaml", "-o -x.yaml", "-ab"])
    func aFileThatBeginsWithADashIsNoFlags(_ typed: String) throws {
        let error = try #require(#expect(throws: ValidationError.self) { try Self.arranged(typed) })
        #expect(error.message.contains("./-"))
    }
}
