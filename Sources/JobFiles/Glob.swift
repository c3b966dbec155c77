internal import Model

/// A pattern of `restart_globs` and its like, matched against a path inside a job's folder. It matches whatever Maand's
/// pattern of the same text matches, and where `**` stands between other parts, some paths more.
///
/// - A pattern without `/` is matched against the base name, at any depth, and against the whole path;
/// - one with `/` against the whole path;
/// - `dir/` matches everything below that folder, and `dir/**` the path `dir` too;
/// - any other `**` splits the pattern. What stands before it has to match the beginning of the path, and what stands after
///   it the rest or the base name;
/// - a path, or a name without `/`, matches itself, whatever its characters mean in a pattern.
///
/// `GlobPattern` says what `*`, `?` and `[]` stand for.
package struct Glob: Sendable {
    package let text: String
    private let literal: [Unicode.Scalar]
    private let whole: GlobPattern
    private let components: [GlobPattern]
    private let deep: Deep?

    /// A pattern with `**` or a `/` at its end, as Maand takes it apart: only at the first `**`.
    private struct Deep {
        /// What the path begins with, literally; without the `/` that separates it from `**`.
        var before: [Unicode.Scalar]
        /// Nil if nothing stands there: everything below.
        var after: GlobPattern?
        /// A `/` stands before `**`.
        var isFolder: Bool
    }

    /// Why a pattern cannot be used.
    package struct Problem: Error {
        package let message: String
    }

    /// - Parameter text: white space at its ends does not count.
    package init(_ text: String) throws(Problem) {
        let text = text.trimmingWhitespace
        if text.isEmpty { throw Problem(message: "a glob may not be empty") }
        if text.hasPrefix("/") {
            throw Problem(message: "a glob is relative to the job's folder: no `/` at its beginning")
        }
        var parts = text.split(separator: "/", omittingEmptySubsequences: false)
        if text.hasSuffix("/") { parts[parts.count - 1] = "**" }
        if parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) {
            throw Problem(message: "the glob \"\(text)\" has an empty component, `.` or `..`")
        }
        let deepText = parts.joined(separator: "/")
        self.text = text
        literal = Array(text.unicodeScalars)
        whole = try GlobPattern(text)
        components = try GlobPattern(deepText).components
        deep = deepText.firstRange(of: "**").flatMap { range in
            let (before, after) = (deepText[..<range.lowerBound], deepText[range.upperBound...])
            let rest = String(after.hasPrefix("/") ? after.dropFirst() : after)
            let pattern = try? GlobPattern(rest)
            // Inside of `[]` it has no meaning.
            guard rest.isEmpty || pattern != nil else { return nil }
            return Deep(
                before: Array((before.hasSuffix("/") ? before.dropLast() : before).unicodeScalars),
                after: rest.isEmpty ? nil : pattern, isFolder: before.hasSuffix("/"))
        }
    }

    /// - Parameter path: relative to the job's folder, as in a `TreeEntry`.
    package func matches(_ path: String) -> Bool {
        let path = Array(path.unicodeScalars)[...]
        let parts = path.split(separator: "/")
        guard let base = parts.last else { return false }
        if literal[...] == base || literal[...] == path { return true }
        // Where `**` stands alone between two `/`, it is more than `*`, and the parts say what.
        if !components.contains(where: \.isDeep), whole.matches(path) { return true }
        return deep.map { matches($0, path, base) } ?? false || matches(components[...], parts[...])
    }

    private func matches(
        _ deep: Deep, _ path: ArraySlice<Unicode.Scalar>, _ base: ArraySlice<Unicode.Scalar>
    ) -> Bool {
        guard path.starts(with: deep.before) else { return false }
        let rest = path.dropFirst(deep.before.count)
        if deep.isFolder, rest.first != "/" { return rest.isEmpty && deep.after == nil && isFolderItself }
        guard let after = deep.after else { return true }
        return after.matches(base) || after.matches(rest) || rest.first == "/" && after.matches(rest.dropFirst())
    }

    /// `dir/**` matches `dir`, and `dir/` does not.
    private var isFolderItself: Bool { literal.last != "/" }

    /// Part by part: what stands after `**` is a pattern of its own for the rest of the path.
    private func matches(
        _ pattern: ArraySlice<GlobPattern>, _ path: ArraySlice<ArraySlice<Unicode.Scalar>>
    ) -> Bool {
        guard let deep = pattern.firstIndex(where: \.isDeep) else {
            if pattern.count == 1, let base = path.last { return pattern[pattern.startIndex].matches(base) }
            return pattern.count == path.count && zip(pattern, path).allSatisfy { $0.matches($1) }
        }
        let before = pattern[..<deep]
        let after = pattern[(deep + 1)...]
        guard path.count >= before.count, zip(before, path).allSatisfy({ $0.matches($1) }) else { return false }
        if path.count == before.count { return after.isEmpty && isFolderItself }
        return after.isEmpty || matches(after, path.dropFirst(before.count))
    }
}
