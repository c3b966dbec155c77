public import Model

extension FromState {
    /// What has to change in the files of an allocation that is in this state.
    ///
    /// On an unfinished one each path may be as it was promoted or as it was begun: what differs from either is a
    /// change, from the promoted bytes where there are any.
    ///
    /// - Parameter trees: the tree of a digest.
    /// - Returns: sorted by path.
    /// - Throws: what `trees` throws.
    public func changes(to tree: Tree, trees: (Digest) throws -> Tree) throws -> [FileChange] {
        func changes(from digest: Digest?) throws -> [FileChange] {
            guard let digest else { return tree.changes(from: nil) }
            return digest == tree.digest ? [] : tree.changes(from: try trees(digest))
        }
        let promoted = try changes(from: content)
        guard let unfinished else { return promoted }
        var merged: [PathBytes: FileChange] = [:]
        for change in try changes(from: unfinished) { merged[PathBytes(change.path)] = change }
        for change in promoted {
            let path = PathBytes(change.path)
            if change.from != nil || merged[path] == nil { merged[path] = change }
        }
        return merged.values.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }
}
