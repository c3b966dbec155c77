import Model
import Testing
import YAML

@testable import Templates

struct Values: TemplateValues {
    var allocationNamespace: String { "maand/job/api/worker/10.0.0.1" }
    var workerNamespace: String { "maand/worker/10.0.0.1" }
    func namespace(ofJob job: String?) -> String { "maand/job/\(job ?? "api")" }

    let all: [String: [String: String]] = [
        "vars/job/api": ["memory": "2048", "name": "x y"], "maand/bucket": ["port": "80"],
    ]

    func value(_ namespace: String, _ key: String) throws(TemplateRefusal) -> TemplateValue? {
        guard let values = all[namespace] else { throw TemplateRefusal("\(namespace) is not allowed") }
        return values[key].map { .text($0) }
    }

    func setter(of key: String, in namespace: String) -> String? { nil }
    func keys(_ namespace: String) throws(TemplateRefusal) -> [String] { all[namespace]?.keys.sorted() ?? [] }

    func secret(_ key: String) throws(TemplateRefusal) -> SecretReference {
        guard key != "none" else { throw TemplateRefusal("no secret") }
        return try SecretReference.test(key)
    }
}

let data = TemplateValue.fields([
    "WorkerIP": .text("10.0.0.1"), "Labels": .texts(["a", "b"]), "NewVersion": .text("1.2.0"),
])

private func render(_ text: String, budget: TemplateBudget = TemplateBudget()) -> String {
    do throws(TemplateProblem) {
        let template = try Template(Array(text.utf8))
        switch try template.render(data, values: Values(), budget: budget) {
        case .plain(let bytes): return String(decoding: bytes, as: UTF8.self)
        case .sealed(let file): return String(decoding: file.shown { "<\($0.name.key)>" }, as: UTF8.self)
        }
    } catch {
        return "\(error.mark.line):\(error.mark.column): \(error.message)"
    }
}

@Suite struct TemplateTests {
    /// What Go's text/template makes of the same text.
    @Test(arguments: [
        ("", ""), ("plain {text}\n", "plain {text}\n"), ("ip={{ .WorkerIP }}\n", "ip=10.0.0.1\n"),
        ("{{.WorkerIP}}/{{.NewVersion}}", "10.0.0.1/1.2.0"), ("{{ .Labels }}", "[a b]"),
        ("a {{- 3 -}} b", "a3b"), ("a\n  {{- /* note */ -}}\n b", "ab"), ("{{/* x */}}y", "y"),
        (#"{{ get "vars/job/api" "name" }}"#, "x y"),
        (#"{{get "maand/bucket" "port"|printf "%s:%s" .WorkerIP}}"#, "10.0.0.1:80"),
        (#"{{ getOptional "vars/job/api" "none" }}."#, "."),
        (
            #"{{ $m := int (get "vars/job/api" "memory") -}} {{ div $m 4 }}MB {{ min 100 (max 4 (div $m 64)) }}"#,
            "512MB 32"
        ),
        (#"{{ if ge (int "5") 5 }}yes{{ else }}no{{ end }}"#, "yes"),
        (#"{{ if eq .WorkerIP "a" "10.0.0.1" }}1{{ else if true }}2{{ end }}"#, "1"),
        (#"{{ if false }}1{{ else if eq 1 1 }}2{{ else }}3{{ end }}"#, "2"),
        (#"{{ if and .WorkerIP (not false) }}x{{ end }}{{ or "" "d" }}{{ and 1 0 }}"#, "xd0"),
        (
            #"{{ range .Labels }}<{{ . }}>{{ end }}{{ range $i, $l := .Labels }}{{ $i }}{{ $l }}{{ $.WorkerIP }};{{ end }}"#,
            "<a><b>0a10.0.0.1;1b10.0.0.1;"
        ),
        (#"{{ range split "" "," }}x{{ end }}{{ range keys "nothing" }}x{{ else }}none{{ end }}"#, "xnone"),
        (#"{{ range keys "vars/job/api" }}{{ . }} {{ end }}"#, "memory name "),
        (#"{{ range 3 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ end }}"#, "02"),
        (
            #"{{ range .Labels }}{{ break }}{{ end }}{{ with .WorkerIP }}w={{ . }}{{ end }}{{ with "" }}{{ else }}e{{ end }}"#,
            "w=10.0.0.1e"
        ),
        (
            #"{{ define "t" }}[{{ . }}{{ $ }}]{{ end }}{{ template "t" 5 }}{{ template "t" .WorkerIP }}"#,
            "[55][10.0.0.110.0.0.1]"
        ),
        (#"{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $x := 3 }}{{ $x }}{{ end }}{{ $x }}"#, "32"),
        (
            #"{{ join (split "b-c" "-") "+" }} {{ upper "a" }}{{ lower "B" }} {{ trim "  x " }} {{ len .Labels }}{{ index .Labels 1 }}"#,
            "b+c Ab x 2b"
        ),
        (#"{{ printf "%5d|%-4s|%03d|%q|%v|%%" 42 "ab" 7 "x\"y" .Labels }}"#, "   42|ab  |007|\"x\\\"y\"|[a b]|%"),
        ("{{ `raw\\n` }}{{ \"a\\tb\" }}", "raw\\na\tb"), ("{{ print 1 \"a\" }}{{ (index .Labels 0) }}", "1aa"),
        ("{{\n  .WorkerIP\n}}", "10.0.0.1"), ("{{ -3 }}", "-3"),
    ])
    func renders(_ text: String, _ expected: String) {
        #expect(render(text) == expected)
    }

    @Test(arguments: [
        ("{{ .Nope }}", "1:4: there is no field `.Nope`"), ("a\n {{ .WorkerI }}", "2:5: there is no field `.WorkerI`"),
        ("{{ .WorkerIP", "1:3: `{{` is not closed by `}}`"),
        ("{{ if true }}", "1:4: `if` is not closed by `{{ end }}`"),
        ("{{ end }}", "1:8: nothing is open that this could end"),
        ("{{ }}", "1:4: a value or a function is missing here"),
        ("{{ nope 1 }}", "1:4: there is no function `nope`"), ("{{ $x }}", "1:4: $x was not declared"),
        (#"{{ get "secrets/x" "k" }}"#, "1:4: secrets/x is not allowed"),
        (#"{{ get "vars/job/api" "k" }}"#, "1:4: there is no key k in vars/job/api"),
        (#"{{ get "vars/job/api" }}"#, "1:4: `get` takes 2 arguments, and gets 1"),
        (#"{{ getSecret "none" }}"#, "1:4: no secret"),
        (#"{{ int "x" }}"#, "1:4: `int` takes a whole number, and gets the text \"x\""),
        (#"{{ add "1" 2 }}"#, "1:4: `add` takes a number, and gets a text"),
        ("{{ div 1 0 }}", "1:4: `div` has no result: it divides by zero, or the number is too large"),
        (#"{{ eq 1 "1" }}"#, "1:4: `eq` cannot compare a number and a text"),
        (#"{{ "a }}"#, "1:4: the text has no end on its line"), ("{{ 1.5 }}", "1:4: `1.5` is not a whole number"),
        ("{{ (1 }}", "1:7: `)` is missing here"), ("{{ 1 2 }}", "1:4: only a function can have arguments"),
        (#"{{ template "t" }}"#, "1:4: there is no template \"t\""),
        ("{{ index .Labels 2 }}", "1:4: `index` asks for item 2 of 2"),
        ("{{ if true }}{{ else }}{{ else }}{{ end }}", "1:27: `if` has an `else` already"),
        (
            "{{ range .WorkerIP }}{{ end }}",
            "1:10: `range` goes over a list or counts up to a number, and this is a text"
        ),
        (
            #"{{ define "t" }}{{ template "t" }}{{ end }}{{ template "t" }}"#,
            "1:20: templates call each other more than 100 deep"
        ),
        (
            "{{ range 1000000 }}{{ range 1000000 }}{{ end }}{{ end }}",
            "1:29: the template takes more than 4000000 steps"
        ),
        (#"{{ printf "%1001d" 1 }}"#, "1:4: `printf` pads to at most 1000 characters"),
        (#"{{ printf "%99999999999999999999d" 1 }}"#, "1:4: `printf` pads to at most 1000 characters"),
        (
            #"{{ define "t" }}{{ template "t" }}{{ template "t" }}{{ end }}{{ range 90 }}{{ template "t" }}{{ end }}"#,
            "1:20: templates call each other more than 100 deep"
        ),
        // What a template declared, it removes also where one that it calls fails.
        (
            #"{{ define "t" }}{{ div 1 0 }}{{ end }}{{ $a := 1 }}{{ range 2 }}{{ template "t" }}{{ end }}"#,
            "1:20: `div` has no result: it divides by zero, or the number is too large"
        ),
        (
            #"{{ define "t" }}{{ div 1 0 }}{{ end }}{{ $a := 1 }}{{ if 1 }}{{ template "t" }}{{ end }}"#,
            "1:20: `div` has no result: it divides by zero, or the number is too large"
        ),
        (
            #"{{ define "t" }}{{ div 1 0 }}{{ end }}{{ $a := 1 }}{{ with 1 }}{{ template "t" }}{{ end }}"#,
            "1:20: `div` has no result: it divides by zero, or the number is too large"
        ),
        ("{{/* x }}", "1:3: a comment ends with `*/}}` or `*/ -}}`"),
        ("{{ @ }}", "1:4: this character has no meaning here"),
    ])
    func refuses(_ text: String, _ expected: String) {
        #expect(render(text) == expected)
    }

    /// What is wrong with a template without its values is found in every branch.
    @Test(arguments: [
        ("nope 1", "there is no function `nope`"), ("$x", "$x was not declared"), ("$x = 1", "$x was not declared"),
        ("add 1", "`add` takes 2 arguments, and gets 1"), ("print (not)", "`not` takes 1 argument, and gets 0"),
        ("slice", "`slice` takes 1 to 4 arguments, and gets 0"),
        ("eq 1", "`eq` takes at least 2 arguments, and gets 1"),
        ("1 | 2", "what comes after `|` has to be a function"), ("nil", "`nil` can only be an argument of a function"),
        ("define \"t\"", "`define` is only allowed outside of all blocks"),
        ("break", "`break` is only allowed inside of `range`"), ("print \"a\"1", "a blank is missing here"),
        ("\"\\q\"", "this escape is not known"), ("'ab'", "between `'` and `'` there is exactly one character"),
        ("$x=1", "a blank is missing here"), ("scrapeConfigs", "there is no function `scrapeConfigs`"),
    ])
    func findsInEveryBranch(_ action: String, _ expected: String) {
        let problem = render("{{ if false }}{{ \(action) }}{{ end }}")
        #expect(problem.hasPrefix("1:") && problem.hasSuffix(": \(expected)"), "\(problem)")
    }

    /// Values are bounded, also those that are not written: whatever builds them ends at the same amount.
    @Test(arguments: [
        #"{{ $x = printf "%s%s" $x $x }}"#, #"{{ $x = print $x $x }}"#, #"{{ $x = println $x $x }}"#,
        #"{{ $x = printf "%q" $x }}"#, #"{{ $x = join (split $x "") "ab" }}"#, #"{{ $x = upper (print $x $x) }}"#,
        #"{{ $x = printf "%1000s%s" $x $x }}"#, #"{{ $x = printf $x }}{{ $x = print $x $x }}"#,
        #"{{ $x = trim (print "ab" $x) }}"#, #"{{ $y := split $x "" }}{{ $x = print $y $y }}"#,
        #"{{ $x = lower (print $x "İ") }}"#,
    ])
    func valuesAreBounded(_ body: String) {
        let text = #"{{ $x := "abcdefgh" }}{{ range 1000000 }}"# + body + "{{ end }}"
        let problem = render(text, budget: TemplateBudget(bytes: 1 << 20))
        #expect(problem.hasSuffix("builds texts and lists of more than 1 MiB in all"), "\(problem.prefix(100))")
        #expect(problem.hasPrefix("1:"))
    }

    /// Work that builds nothing is counted, too.
    @Test(arguments: [
        #"{{ range 1000000 }}{{ $y := eq $x $x }}{{ end }}"#, #"{{ range 1000000 }}{{ $y := split $x $x }}{{ end }}"#,
        #"{{ define "t" }}{{ if . }}{{ template "t" sub . 1 }}{{ template "t" sub . 1 }}{{ end }}{{ end }}{{ template "t" 40 }}"#,
        "{{ range 1000000 }}{{ $y := print" + String(repeating: " 1", count: 1000) + "}}{{ end }}",
    ])
    func workIsBounded(_ body: String) {
        let long = String(repeating: "{{ $x = print $x $x }}", count: 14)
        let problem = render(#"{{ $x := "abcdéfgh" }}"# + long + body, budget: TemplateBudget(steps: 100_000))
        #expect(
            problem.hasPrefix("1:") && problem.hasSuffix("the template takes more than 100000 steps"),
            "\(problem.prefix(100))")
    }

    @Test func theBudgetsOfTemplates() {
        let double = #"{{ $x := "abcdefgh" }}{{ range 1000000 }}{{ $x = printf "%s%s" $x $x }}{{ end }}"#
        #expect(render(double) == "1:50: the template builds texts and lists of more than 64 MiB in all")
    }

    @Test func variablesAreBounded() {
        let many = (0..<1000).map { "{{ $v\($0) := 1 }}" }.joined()
        #expect(render(many).hasSuffix("more than 1000 variables are declared here"))
    }

    @Test func outputIsBounded() {
        let text = #"{{ range 100000 }}"# + String(repeating: "x", count: 100) + "{{ end }}"
        #expect(render(text) == "1:10: the template becomes larger than 4 MiB")
        let deep = String(repeating: "{{ if true }}", count: 200)
        #expect(render(deep).hasSuffix("more than 100 blocks are open here"))
    }

    /// Damaged templates end in a message with a place, or in a text.
    @Test func damageIsReported() {
        let sound = Array(
            #"a{{- if eq .WorkerIP "x" -}}{{ range $i, $l := .Labels }}{{ $i }}{{ end }}{{ else }}{{ get "vars/job/api" "name" | upper }}{{ end }}b"#
                .utf8)
        var generator = Generator(state: 42)
        for _ in 0..<3000 {
            var bytes = sound
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0...2, using: &generator) {
                case 0: bytes.remove(at: index)
                case 1: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                default: bytes.insert(bytes[Int.random(in: 0..<bytes.count, using: &generator)], at: index)
                }
            }
            do throws(TemplateProblem) {
                _ = try Template(bytes).render(data, values: Values())
            } catch {
                #expect(error.mark.line >= 1 && !error.message.isEmpty)
            }
        }
    }
}

/// The same numbers in every run (Knuth's MMIX constants).
struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ state >> 33
    }
}
