import ArgumentParser
import Executor
import Foundation
import Model

/// Which bucket a command is about.
struct BucketOptions: ParsableArguments {
    @Option(help: "The bucket's directory; else $MAAND_BUCKET, else the current directory.")
    var bucket: String?

    private var named: String { bucket ?? environment("MAAND_BUCKET") ?? "." }

    /// Absolute: what runs for a local worker does not stay in the current directory.
    var folder: String { URL(fileURLWithPath: named).standardizedFileURL.path }

    /// The bucket's `maand.conf`.
    func configuration() throws -> BucketConfiguration {
        let file = path("maand.conf")
        let bytes: [UInt8]
        do throws(InputFile.Problem) {
            bytes = try InputFile.read(file, limit: 1 << 20)
        } catch {
            throw Failure(
                .invalidInput, code: .fileUnreadable, "\(file) cannot be read: \(error.message)",
                "name a bucket with --bucket, or make one with `maand-plan init`")
        }
        return try BucketConfiguration.read(bytes, file: file)
    }

    /// A path inside the bucket as messages name it, short where the bucket is the current directory.
    func path(_ name: String) -> String { named == "." ? name : named + "/" + name }
}

/// When output has colours.
struct ColorOptions: ParsableArguments {
    enum Choice: String, ExpressibleByArgument, CaseIterable {
        case auto, always, never
    }

    @Option(help: "When to use colours: auto (on a terminal, unless NO_COLOR is set), always or never.")
    var color: Choice = .auto

    /// For text on standard output.
    var isOn: Bool {
        switch color {
        case .always: true
        case .never: false
        case .auto: isatty(STDOUT_FILENO) == 1 && environment("NO_COLOR") == nil && environment("TERM") != "dumb"
        }
    }
}

/// A variable of the environment; nil where it is empty, too.
func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
}
