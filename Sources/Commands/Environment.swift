internal import Glibc

/// A variable of the environment; nil where it is empty, too.
package func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
}
