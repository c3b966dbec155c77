internal import JobFiles
internal import Templates
internal import YAML

/// A template of a job that was read without errors.
struct ParsedTemplate: Sendable {
    /// The file itself, for messages.
    var file: String
    /// What it becomes.
    var path: String
    var isExecutable: Bool
    var template: Template
    /// Values of secrets may stand in what it becomes.
    var mentionsSecrets: Bool
    /// Where it asks for the version that runs; nil if nowhere.
    var currentVersionMark: Mark?

    static func read(_ sources: [JobTemplate], folder: String, into findings: inout Findings) -> [ParsedTemplate] {
        sources.compactMap { source in
            let file = "\(folder)/\(source.path)\(JobTemplate.suffix)"
            do throws(TemplateProblem) {
                let text = String(decoding: source.bytes, as: UTF8.self)
                return ParsedTemplate(
                    file: file, path: source.path, isExecutable: source.isExecutable,
                    template: try Template(source.bytes),
                    mentionsSecrets: ["getSecret", "secrets/"].contains { text.contains($0) },
                    currentVersionMark: mark(of: ".CurrentVersion", in: text))
            } catch {
                findings.add(InputFailure(error.diagnostic(file)))
                return nil
            }
        }
    }
}

extension ParsedTemplate {
    /// The first place of a word in a text.
    private static func mark(of word: String, in text: String) -> Mark? {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if let place = line.firstRange(of: word) {
                return Mark(line: index + 1, column: line.distance(from: line.startIndex, to: place.lowerBound) + 1)
            }
        }
        return nil
    }
}

extension TemplateProblem {
    fileprivate func diagnostic(_ file: String) -> Diagnostic {
        Diagnostic(file: file, mark: mark, message: message, note: note)
    }
}
