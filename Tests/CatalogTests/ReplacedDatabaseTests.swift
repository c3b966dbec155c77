import Foundation
import Model
import Testing

@testable import Catalog

@Suite struct ReplacedDatabaseTests {
    @Test(
        arguments: [
            "rm '%'", "rm '%-wal'", "truncate -s 0 '%'", "cp '%' '%.copy'; mv '%.copy' '%'",
            "cp '%-wal' '%.copy'; mv '%.copy' '%-wal'",
        ])
    func nothingIsWrittenIntoFilesThatNobodyWillRead(_ command: String) async throws {
        let folder = try TemporaryFolder()
        let catalog = try Catalog.open(in: folder.path, bucket: bucket)
        let run = try catalog.begin()
        try await catalog.commit(run, begin("a", 1))
        try shell(command.replacingOccurrences(of: "%", with: folder.file("maand.db")))
        await #expect(throws: CatalogError.replaced(path: folder.file("maand.db"))) {
            try await catalog.commit(run, outcome("a", 1, .succeeded))
        }
        #expect(throws: CatalogError.replaced(path: folder.file("maand.db"))) {
            try catalog.finish(run.id, state: .parked, detail: nil, at: at(1))
        }
    }
}
