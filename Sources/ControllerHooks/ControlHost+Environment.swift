internal import Foundation
internal import Model
package import Plans
package import ThisHost
internal import Workers

extension ControlHost {
    /// Variables of this process that hooks get: what every program may need, and those that `hook_environment` names.
    package static func environment(of configuration: BucketConfiguration) -> [String: String] {
        let named = Set(passedVariables).union(configuration.hookEnvironment)
        return ProcessInfo.processInfo.environment.filter { name, _ in
            (named.contains(name) || name.hasPrefix("LC_")) && ShellText.isVariable(name)
        }
    }

    private static let passedVariables = [
        "HOME", "LANG", "LOGNAME", "PATH", "SHELL", "SSH_AUTH_SOCK", "TMPDIR", "TZ", "USER", "http_proxy",
        "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    ]
}
