import Testing

@testable import Catalog

@Suite struct SchemaTests {
    /// Earlier releases refuse a catalog with a newer version, and take a word that they do not know for damage. So a new
    /// word comes with a new version.
    @Test func aNewWordComesWithANewVersion() {
        #expect(Schema.version == 20)
        #expect(
            RunReason.allCases.map(\.rawValue).sorted() == [
                "adoption", "approval_lapsed", "freezes_unreadable", "frozen", "limit_reached", "missing_target",
                "paused",
                "refresh",
                "refresh_interrupted", "rolled_back", "signal", "stale", "superseded", "way_back_incomplete",
                "window_closed", "window_too_short",
                "workers_not_ready",
            ])
    }
}
