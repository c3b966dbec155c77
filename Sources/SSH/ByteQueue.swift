/// Bytes in the order of their arrival. Appending and consuming are amortised constant per byte; memory is given back when
/// a queue that has been large runs empty.
struct ByteQueue {
    private var storage: [UInt8] = []
    private var head = 0

    var count: Int { storage.count - head }
    var isEmpty: Bool { count == 0 }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if head > 0, head >= count {
            storage.removeFirst(head)
            head = 0
        }
        storage.append(contentsOf: bytes)
    }

    /// Hands out the bytes at the front; the closure returns how many of them it took.
    mutating func consume(_ body: (UnsafeRawBufferPointer) -> Int) {
        let taken = storage.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[head...])) }
        head += taken
        guard head == storage.count else { return }
        storage.removeAll(keepingCapacity: storage.capacity <= 16 << 10)
        head = 0
    }

    mutating func removeAll() {
        storage = []
        head = 0
    }
}
