internal import ArgumentParser

/// What a person has typed, in the form that the argument parser takes.
package enum TypedArguments {
    /// Options of every command that are followed by a value. They may stand before the command, too.
    private static let shared: Set<String> = ["--bucket", "--color"]

    /// Brings options of every command behind the command if they stand before it, as in `--bucket B status`.
    ///
    /// - Parameters:
    ///   - arguments: without the program's name.
    ///   - commands: the names of the commands.
    ///   - flags: the letters of the flags; the parser takes several of them in one word.
    /// - Throws: `ValidationError` for a word such as `-dash.yaml`. The parser would read it as the flags `-d`, `-a`, `-s`, `-h`
    ///   and so on, and print the help.
    package static func arranged(
        _ arguments: [String], commands: Set<String>, flags: Set<Character>
    ) throws -> [String] {
        let words = arguments.prefix { $0 != "--" }
        var isValue = false
        for word in words {
            if !isValue, isMistaken(word, flags) {
                throw ValidationError(
                    "There is no option \(word). Write ./\(word) for a file with this name; before other values that begin with "
                        + "`-`, write `--`.")
            }
            isValue = word == "--reason"
        }
        var position = words.startIndex
        while position < words.endIndex, let name = words[position].split(separator: "=").first,
            shared.contains(String(name))
        {
            position += name.count == words[position].count ? 2 : 1
        }
        guard position > 0, position < words.endIndex, commands.contains(words[position]) else { return arguments }
        // Behind the last word, since a command may have commands of its own.
        return Array(words[position...] + words[..<position] + arguments[words.endIndex...])
    }

    /// Whether the word begins with one `-`, and is neither a letter with a value behind `=`, nor a number, nor flags.
    private static func isMistaken(_ word: String, _ flags: Set<Character>) -> Bool {
        let letters = word.dropFirst()
        guard word.hasPrefix("-"), letters.count > 1, let first = letters.first, first.isLetter else { return false }
        return letters.dropFirst().first != "=" && !letters.allSatisfy(flags.contains)
    }
}
