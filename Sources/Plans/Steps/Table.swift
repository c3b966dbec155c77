internal import Model

/// An index of one kind of table, so that no index of another kind is taken for it.
public protocol TableIndex: Hashable, Strideable, Sendable where Stride == Int {
    /// From 0.
    var position: Int { get }

    init(_ position: Int)
}

extension TableIndex {
    @inlinable public func distance(to other: Self) -> Int { other.position - position }

    @inlinable public func advanced(by count: Int) -> Self { Self(position + count) }

    @inlinable public static func < (a: Self, b: Self) -> Bool { a.position < b.position }
}

/// An array whose elements are found by an index of their own type.
public struct Table<Index: TableIndex, Element>: RandomAccessCollection, MutableCollection, ExpressibleByArrayLiteral {
    @usableFromInline var elements: [Element]

    @inlinable public init(_ elements: some Sequence<Element>) { self.elements = Array(elements) }

    @inlinable public init(arrayLiteral elements: Element...) { self.elements = elements }

    @inlinable public init(repeating element: Element, count: Int) {
        elements = Array(repeating: element, count: count)
    }

    @inlinable public var startIndex: Index { Index(0) }

    @inlinable public var endIndex: Index { Index(elements.count) }

    @inlinable public subscript(index: Index) -> Element {
        get { elements[index.position] }
        _modify { yield &elements[index.position] }
    }

    /// The elements, each with its index.
    @inlinable public var indexed: Zip2Sequence<Range<Index>, Self> { zip(indices, self) }

    /// Adds an element at the end, and returns its index.
    @inlinable @discardableResult public mutating func append(_ element: Element) -> Index {
        elements.append(element)
        return Index(elements.count - 1)
    }

    /// Adds elements at the end.
    @inlinable public mutating func append(contentsOf others: some Sequence<Element>) {
        elements.append(contentsOf: others)
    }

    @inlinable public mutating func reserveCapacity(_ count: Int) { elements.reserveCapacity(count) }
}

extension Table: Sendable where Element: Sendable {}

/// A step of a graph.
public struct StepIndex: TableIndex {
    public let position: Int

    @inlinable public init(_ position: Int) { self.position = position }
}

/// A unit of a graph.
public struct UnitIndex: TableIndex {
    public let position: Int

    @inlinable public init(_ position: Int) { self.position = position }
}

/// A stage of a unit.
public struct StageIndex: TableIndex {
    public let position: Int

    @inlinable public init(_ position: Int) { self.position = position }
}

/// A chain of a batch.
public struct ChainIndex: TableIndex {
    public let position: Int

    @inlinable public init(_ position: Int) { self.position = position }
}
