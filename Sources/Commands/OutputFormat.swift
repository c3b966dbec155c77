internal import ArgumentParser

/// The form of a command's answer: text for people, JSON with stable keys for programs.
package enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json
}
