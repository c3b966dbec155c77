/// A place in a source file, as an editor shows it.
///
/// Both numbers start at 1. `column` counts Unicode scalars; a line ends at a line feed. Numbers above 2^32 - 1
/// saturate (inputs are limited far below that).
public struct Mark: Sendable, Hashable, Comparable {
    private let lineNumber: UInt32
    private let columnNumber: UInt32

    public var line: Int { Int(lineNumber) }
    public var column: Int { Int(columnNumber) }

    /// - Parameters:
    ///   - line: from 1.
    ///   - column: from 1.
    public init(line: Int, column: Int) {
        lineNumber = UInt32(clamping: line)
        columnNumber = UInt32(clamping: column)
    }

    /// Whether `left` stands before `right` in a file.
    public static func < (left: Mark, right: Mark) -> Bool {
        (left.lineNumber, left.columnNumber) < (right.lineNumber, right.columnNumber)
    }
}
