import ArgumentParser
import Model
import Review

struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows a plan to people: what happens where, in which order, and why.",
        discussion: "The plan is checked as maand-apply checks it. No bucket is needed.")

    @Argument(help: "The plan file; - reads standard input.")
    var file: String

    @OptionGroup var color: ColorOptions

    func run() throws {
        try printResult(Array(TextReview.text(try PlanInput.read(file), color: color.isOn).utf8))
    }
}

/// Plans that are given by name.
enum PlanInput {
    static func read(_ path: String) throws -> PlanFile {
        let bytes: [UInt8]
        do throws(HostFiles.Problem) {
            bytes = try HostFiles.read(path, limit: PlanFile.maximumSize)
        } catch {
            throw Failure(.invalidInput, "\(path) cannot be read: \(error.message)")
        }
        return try PlanFile.read(bytes, file: path == "-" ? "standard input" : path)
    }
}
