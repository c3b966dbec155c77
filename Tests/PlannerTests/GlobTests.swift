import JobFiles
import Testing

@testable import Planner

@Suite struct GlobTests {
    @Test(arguments: [
        // Without `/`: the base name, at any depth.
        ("*.yml", "a.yml", true), ("*.yml", "conf/a.yml", true), ("*.yml", "conf/deep/z.yml", true),
        ("*.yml", "a.yaml", false), ("Makefile", "sub/Makefile", true), ("a?c", "x/abc", true), ("a?c", "ac", false),
        ("*", "any/thing", true), ("a*b*c", "axxbyyc", true), ("a*b*c", "axxbyy", false), ("a*", "ba", false),
        // With `/`: the whole path, and `*` stays within a component.
        ("conf/*.yml", "conf/a.yml", true), ("conf/*.yml", "conf/deep/z.yml", false),
        ("conf/*.yml", "x/conf/a.yml", false), ("*/a.yml", "conf/a.yml", true), ("*/a.yml", "a.yml", false),
        // A folder.
        ("conf/", "conf/a.yml", true), ("conf/", "conf/deep/z.yml", true), ("conf/", "x/conf/a.yml", false),
        ("conf/", "conf", false), ("a/b/", "a/b/c", true), ("a/b/", "a/c", false),
        // `**` as a component.
        ("conf/**", "conf/new.yml", true), ("conf/**", "conf/a/b", true), ("conf/**", "conf", true),
        ("conf/**", "config", false), ("conf/**", "x/conf", false),
        ("conf/**/z.yml", "conf/deep/z.yml", true), ("conf/**/z.yml", "conf/z.yml", true),
        ("conf/**/z.yml", "conf/a/b/z.yml", true), ("conf/**/z.yml", "z.yml", false),
        ("**/deep/*.yml", "conf/deep/z.yml", false), ("**/deep/*.yml", "deep/z.yml", true),
        ("**/z.yml", "conf/deep/z.yml", true), ("**/z.yml", "z.yml", true), ("**", "a/b", true),
        ("a/**/b/**", "a/b/c", true), ("a/**/b/**", "a/c", false),
        // `**` beside other characters: what stands before it begins the path, what stands after it is the rest or the
        // base name.
        ("a**b", "axb", true), ("a**b", "a/b", true), ("a**b", "a/x/b", true), ("a**b", "c/b", false),
        ("a**b", "a/bc", false),
        ("conf/a**.yml", "conf/ab.yml", true), ("conf/a**.yml", "conf/a.yml", true), ("conf/**.yml", "conf/.yml", true),
        ("**.yml", "x/a.yml", true), ("x**/a.yml", "xy/a.yml", true), ("conf**/z", "conf/deep/z", true),
        ("a**", "a/b", true),
        // Sets and escapes.
        ("conf/[ab].yml", "conf/a.yml", true), ("conf/[ab].yml", "conf/ab.yml", false), ("[a-c]x", "bx", true),
        ("[a-c]x", "dx", false), ("[^a-c]x", "dx", true), ("[^a-c]x", "ax", false), (#"\*.yml"#, "*.yml", true),
        (#"\*.yml"#, "a.yml", false), ("conf[/]a.yml", "conf/a.yml", true), ("conf[^a]a.yml", "conf/a.yml", true),
        ("[a/b]c", "x/bc", true), ("[a**[]a]", "*a]", true),
        ("conf[x/y]a.yml", "conf/a.yml", true), ("[b-a]x", "ax", false), ("[^b-a]x", "ax", true), ("[*]x", "*x", true),
        ("[*]x", "ax", false), ("a?c", "a/c", false),
        // A path and a base name match themselves.
        ("x[1].yml", "x[1].yml", true), ("x[1].yml", "d/x[1].yml", true), ("d/x[1].yml", "d/x[1].yml", true),
        ("d[1]/", "d[1]/a", true), ("{a,b}", "{a,b}", true), ("{a,b}", "a", false),
        // Blanks around a pattern do not count.
        (" *.yml ", "a.yml", true), ("\tconf/\n", "conf/a", true),
        (#"[\]]"#, "]", true), (#"[\-a]"#, "-", true), ("ä?", "äö", true),
    ])
    func matches(_ pattern: String, _ path: String, _ expected: Bool) throws {
        #expect(try Glob(pattern).matches(path) == expected)
    }

    @Test(arguments: [
        "", "/a", "[a", "[]", "[a-]", "[-a]", "[^]a]", " ", "[a]]/[", #"a\"#, "a//b", "../a", "a/./b", "[", "[^", "[a-",
    ])
    func refuses(_ pattern: String) { #expect(throws: Glob.Problem.self) { try Glob(pattern) } }

    @Test func costStaysBounded() throws {
        let glob = try Glob(String(repeating: "a*", count: 200) + "b")
        #expect(!glob.matches(String(repeating: "a", count: 2000)))
    }
}
