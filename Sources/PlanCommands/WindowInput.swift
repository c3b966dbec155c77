import Commands
import Glibc
import JobFiles
import Model
import UseCases
import Windows
import YAML

/// Windows and instants that are given on the command line.
enum WindowInput {
    /// A window in words; a single word is the name of a file that holds them, with `#` before remarks.
    static func window(_ argument: String) throws -> MaintenanceWindow {
        let isFile = !argument.contains { $0.isWhitespace } && !argument.isEmpty
        let text = isFile ? try file(argument) : argument
        do throws(WindowText.Problem) {
            return try WindowText.parse(text, database: .system)
        } catch {
            throw Failure(
                .usage, "--window: \(isFile ? "\(argument): " : "")\(error)",
                "such as \"tue,thu 22:00 for 4h in Europe/Berlin\" or "
                    + "\"2026-12-01T22:00 to 2026-12-02T02:00 in Europe/Berlin\"")
        }
    }

    static func instant(_ argument: String) throws -> Timestamp {
        guard let instant = Timestamp(utcText: argument) else {
            throw Failure(.usage, "\"\(argument)\" is no instant in UTC", "such as 2026-12-01T12:00:00Z")
        }
        return instant
    }

    private static func file(_ path: String) throws -> String {
        let bytes = try HostFiles.read(
            path, limit: 1 << 20, as: "--window: \(path)", .usage,
            note: "a window of several words is taken as it is, one word as the name of a file")
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The bucket's `workspace/freezes.yaml`.
enum FreezeInput {
    /// Empty where there is no such file.
    static func read(_ bucket: BucketOptions) throws -> [Freeze] { try contents(bucket).freezes }

    /// With the zone of its times.
    static func contents(_ bucket: BucketOptions) throws -> FreezeFile.Contents {
        do {
            return try FreezeFile.read(in: bucket.path("workspace"), database: .system)
        } catch let error as Files.Problem {
            throw Failure(
                .invalidInput, code: .fileUnreadable, "\(bucket.path(FreezeFile.path)) cannot be read: \(error.message)"
            )
        }
    }
}

extension MaintenanceWindow {
    /// When the opening that holds, or the next one, begins; nil where none follows, or where its zone is not known here.
    func nextOpening(from now: Timestamp) -> Timestamp? {
        guard let rules = ZoneDatabase.system.rules(zone) else { return nil }
        return WindowCalendar(self, rules: rules).openings(from: now, limit: 1).first?.from
    }
}

extension Timestamp {
    static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
