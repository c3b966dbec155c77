internal import YAML

/// The functions of templates: those of Maand, and those of Go's text/template.
enum TemplateFunction: String, CaseIterable, Sendable {
    case add, and, div, eq, ge, get, getJob, getJobOptional, getJobWorker, getJobWorkerOptional, getOptional, getSecret
    case getWorker, getWorkerOptional, gt, html, index, int, join, js, keys, le, len, lower, lt, max, min, mul, ne, not
    case or, print, printf, println, slice, split, sub, trim, upper, urlquery

    /// How many arguments it takes.
    var arguments: ClosedRange<Int> {
        switch self {
        case .html, .js, .print, .println, .urlquery: 0...Int.max
        case .and, .index, .or, .printf: 1...Int.max
        case .eq: 2...Int.max
        case .slice: 1...4
        case .getJob, .getJobOptional: 1...2
        case .getJobWorker, .getJobWorkerOptional, .getSecret, .getWorker, .getWorkerOptional, .int, .keys, .len,
            .lower,
            .not, .trim, .upper:
            1...1
        case .add, .div, .ge, .get, .getOptional, .gt, .join, .le, .lt, .max, .min, .mul, .ne, .split, .sub: 2...2
        }
    }

    /// What is wrong with so many arguments; nil if nothing is.
    func problem(ofCount count: Int) -> String? {
        if arguments.contains(count) { return nil }
        let (least, most) = (arguments.lowerBound, arguments.upperBound)
        let wanted = most == Int.max ? "at least \(least)" : least == most ? "\(least)" : "\(least) to \(most)"
        return "`\(rawValue)` takes \(wanted) argument\(wanted.hasSuffix("1") ? "" : "s"), and gets \(count)"
    }

    /// What to do where there is no function of this name.
    static func note(onUnknown name: String) -> String {
        switch name {
        case "scrapeConfigs", "ruleFiles": return "settings for Prometheus come with a later release"
        case "getPort": return "a port is a key of `maand/bucket`: `get \"maand/bucket\" \"NAME\"`"
        case "default":
            return
                "`or X Y` is the first of them that is not empty, such as `or (getOptional \"NAMESPACE\" \"KEY\") \"Y\"`"
        case "quote": return "`printf \"%q\" X` puts a text into quotes"
        case "call": return "no value of a template is a function"
        case _:
            let names = allCases.map(\.rawValue)
            return Suggestion.nearest(to: name, among: names).map { "did you mean `\($0)`?" }
                ?? "there are " + names.joined(separator: ", ")
        }
    }
}
