public import ArgumentParser
import Commands
import Glibc
import MaandBucket
public import Model
internal import Windows

struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Creates a bucket with a commented maand.conf, a sample worker and a sample job.",
        discussion: """
            What is in the directory already is left as it is. A directory that is no bucket has to be empty, but for a \
            `.git`, or to have a `workspace/`: then what is missing is added. A bucket of Maand is taken over by `adopt`. A .gitignore and a .gitattributes make a bucket ready for git: they keep keys and what is only of this \
            machine out of it, and line endings as they are.
            """)

    @Argument(help: "The directory; it is created where it does not exist.")
    var directory: String

    @Option(help: "How workers are reached: ssh, or local for folders of this machine.")
    var transport: TransportKind = .ssh

    func run() throws {
        do {
            let isNew = access(directory, F_OK) != 0
            if isNew { try HostFiles.createFolder(directory, mode: 0o755) }
            let isBucket = access(directory + "/maand.conf", F_OK) == 0
            try checkIsNotOfMaand(isBucket: isBucket)
            // What a bucket leaves beside its workspace says that it had an id, which would be another one.
            let isLost = ["maand.db", "store"].contains { access("\(directory)/\($0)", F_OK) == 0 }
            let hasWorkspace = !isLost && access(directory + "/workspace", F_OK) == 0
            if !isNew, !isBucket, !hasWorkspace, try !HostFiles.isEmpty(directory, besides: ".git") {
                throw Refusal(
                    isLost
                        ? "it has lost its maand.conf, which names the bucket; put it back from git or a backup"
                        : "it is neither empty nor a bucket; choose another directory")
            }
            let files = BucketTemplate(transport: transport)
            // Before there is anything that must not be published.
            for (path, text) in files.git { try write(text, path) }
            try HostFiles.createMissingFolder("\(directory)/secrets", mode: 0o700)
            try HostFiles.createMissingFolder("\(directory)/store", mode: 0o700)
            if try HostFiles.createMissingFolder("\(directory)/workspace", mode: 0o755) {
                try HostFiles.createMissingFolder("\(directory)/workspace/jobs", mode: 0o755)
                try HostFiles.createMissingFolder("\(directory)/workspace/jobs/hello", mode: 0o755)
                for (path, text) in files.workspace { try write(text, "workspace/" + path) }
            }
            // Last, so that an interrupted `init` leaves no bucket that is half there.
            if !isBucket { try write(files.configuration(bucketID: Self.freshID()), "maand.conf") }
            printNotice(
                isBucket
                    ? "\(directory) is a bucket already; what is in it was not changed."
                    : "Created the bucket \(directory). Next: edit \(directory)/workspace, then "
                        + "`maand-plan deploy --bucket \(word) -o plan.yaml`.")
        } catch let refusal as Refusal {
            throw Failure(.invalidInput, "\(directory) cannot become a bucket: \(refusal.message)")
        } catch let problem as HostFiles.Problem {
            throw Failure(.failed, "\(directory) cannot become a bucket: \(problem.message)")
        }
    }

    /// What is there already is no place for a bucket.
    private struct Refusal: Error {
        let message: String

        init(_ message: String) { self.message = message }
    }

    /// The directory, as it is copied.
    private var word: String { ShellText.copied(directory) }

    /// Another id, and the next plan would start what runs already.
    private func checkIsNotOfMaand(isBucket: Bool) throws(Refusal) {
        guard access("\(directory)/\(MaandDatabase.file)", F_OK) == 0 else { return }
        let lines = (try? InputFile.read("\(directory)/maand.conf", limit: 1 << 20)) ?? []
        if isBucket, String(decoding: lines, as: UTF8.self).contains("bucket_id") { return }
        throw Refusal("it is a bucket of Maand; `maand-plan adopt --bucket \(word)` takes it over")
    }

    /// Writes a file of the bucket; one that is there already stays.
    private func write(_ text: String, _ name: String) throws(HostFiles.Problem) {
        _ = try HostFiles.write(Array(text.utf8), to: directory + "/" + name, overwrite: false)
    }

    /// A random UUID (RFC 9562, version 4).
    private static func freshID() -> String {
        var generator = SystemRandomNumberGenerator()
        return UUIDText.text((0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) }, version: 4)
    }
}

extension TransportKind: ExpressibleByArgument {}
