package import ArgumentParser
internal import Glibc

/// When output has colours.
package struct ColorOptions: ParsableArguments {
    package enum Choice: String, ExpressibleByArgument, CaseIterable {
        case auto, always, never
    }

    @Option(help: "When to use colours: auto (on a terminal, unless NO_COLOR is set), always or never.")
    package var color: Choice = .auto

    package init() {}

    /// For text on standard output.
    package var isOn: Bool { isOn(STDOUT_FILENO) }

    /// Whether text has colours.
    ///
    /// - Parameter output: where it goes: a file descriptor.
    package func isOn(_ output: Int32) -> Bool {
        switch color {
        case .always: true
        case .never: false
        case .auto: isatty(output) == 1 && environment("NO_COLOR") == nil && environment("TERM") != "dumb"
        }
    }
}
