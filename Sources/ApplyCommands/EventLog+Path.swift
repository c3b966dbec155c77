import Commands
import Foundation
import UseCases

extension BucketOptions {
    /// Makes sure that a log is not appended to something that is read for what it is.
    ///
    /// - Parameter plan: the plan's file; nil where it comes from elsewhere.
    /// - Throws: `Failure` where it is the plan or lies among the bucket's own files.
    func checkIsNoFileOfTheBucket(_ events: String, plan: String?) throws {
        func refuse(_ what: String) -> Failure {
            Failure(
                .invalidInput, code: .fileNotWritten,
                "--events: \(events) \(what), and nothing was appended. Name a file of its own.")
        }
        if let plan, Self.isSame(events, plan) { throw refuse("is the plan") }
        var status = stat()
        if lstat(events, &status) == 0, stat(events, &status) != 0 { throw refuse("is a link that leads nowhere") }
        guard let bucket = Self.resolved(folder), let path = Self.resolved(events), path.hasPrefix(bucket + "/") else {
            return
        }
        let first = path.dropFirst(bucket.count + 1).prefix { $0 != "/" }
        if Self.own.contains(String(first)) || first.hasPrefix("maand.") {
            throw refuse("lies among the bucket's own files (\(first))")
        }
    }

    /// Folders of a bucket.
    private static let own: Set<String> = ["workspace", "store", "secrets", "workers", ".hooks", "apply.lock"]

    private static func isSame(_ one: String, _ other: String) -> Bool {
        var first = stat()
        var second = stat()
        return stat(one, &first) == 0 && stat(other, &second) == 0
            && first.st_dev == second.st_dev && first.st_ino == second.st_ino
    }

    /// Without links; of what is not there yet the folder is.
    private static func resolved(_ path: String) -> String? {
        if let found = realpath(path, nil) {
            defer { free(found) }
            return String(cString: found)
        }
        let url = URL(fileURLWithPath: path)
        guard let folder = realpath(url.deletingLastPathComponent().path, nil) else { return nil }
        defer { free(folder) }
        return String(cString: folder) + "/" + url.lastPathComponent
    }
}
