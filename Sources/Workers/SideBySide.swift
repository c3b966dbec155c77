extension Array where Element: Sendable {
    /// The results of `body` for all elements, in their order, with at most `width` of them under way at a time.
    package func sideBySide<Value: Sendable>(
        width: Int, _ body: @escaping @Sendable (Element) async -> Value
    ) async -> [Value] {
        await withTaskGroup(of: (Int, Value).self) { group in
            var waiting = indices[...]
            func add() {
                guard let index = waiting.popFirst() else { return }
                let element = self[index]
                group.addTask { (index, await body(element)) }
            }
            for _ in 0..<width { add() }
            var values = [Value?](repeating: nil, count: count)
            for await (index, value) in group {
                values[index] = value
                add()
            }
            return values.compactMap { $0 }
        }
    }
}

extension Result {
    /// What `body` returns or throws.
    package init(_ body: () async throws(Failure) -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
