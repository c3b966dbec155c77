internal import Glibc

/// What a hook has printed, and where forms of secrets were found in it.
///
/// Its runs of four bytes are known by their places. So most forms are passed over by their last four bytes alone, before
/// they are written down; others are compared where the rarest of some of their runs is. What this takes is counted, so that
/// nothing that is made for it takes long.
struct SearchedOutput {
    private let bytes: [UInt8]
    /// How long the longest form is that begins at each place; 0 where none does.
    private(set) var longest: [Int]
    /// How many of the first bytes are the end of a form.
    private(set) var cut = 0

    /// The last place of a run, and how often it occurs.
    private var runs: [UInt32: (last: Int32, count: Int)] = [:]
    /// For each place, where the same run was before; negative where it was not.
    private var previous: [Int32]
    /// Forms that were searched, with the shortest end of each, as many as there is room for.
    private var searched: [[UInt8]: Int] = [:]
    private var searchedBytes = 0
    private var form: [UInt8] = []

    /// Bytes that were written, and sixteenths of those that were compared.
    private var work = 0
    private static let workLimit = 1 << 27
    private static let searchedLimit = 4 << 20
    private static let run = Redaction.shortest

    /// - Parameter bytes: at most some megabytes.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        longest = [Int](repeating: 0, count: bytes.count)
        previous = [Int32](repeating: -1, count: bytes.count)
        guard bytes.count >= Self.run else { return }
        runs.reserveCapacity(bytes.count)
        for place in 0...bytes.count - Self.run {
            let key = Self.key(bytes, place)
            if let known = runs[key] { previous[place] = known.last }
            runs[key, default: (0, 0)].last = Int32(place)
            runs[key, default: (0, 0)].count += 1
        }
    }

    /// The search has taken so long that it is not gone on with; what was found is not all.
    var isGivenUp: Bool { work > Self.workLimit }

    /// Looks for a form of a secret.
    ///
    /// - Returns: false where there is no use in looking for others.
    mutating func search(_ sought: SecretForms.Form) -> Bool {
        // Most forms are none of these, and are not written as a whole.
        _ = sought.writeEnd(of: 12, to: &form)
        work += form.count
        guard form.count >= Self.run, runs[Self.key(form, form.count - Self.run)] != nil else { return true }
        // For what follows, however short it is.
        work += 40
        if !sought.writeEnd(of: 96, to: &form) {
            work += form.count
            searchBeginning(shortest: sought.shortestEnd, isWhole: false)
            guard occurs() else { return !isGivenUp }
            sought.write(to: &form)
        }
        work += form.count
        guard !isGivenUp else { return false }
        if let known = searched[form], known <= sought.shortestEnd { return true }
        searchBeginning(shortest: sought.shortestEnd, isWhole: true)
        if form.count <= bytes.count { searchWhole() }
        if searchedBytes + form.count + 64 <= Self.searchedLimit {
            searchedBytes += form.count + 64
            // Not with the room that is reserved for others.
            searched[Array(form[...])] = sought.shortestEnd
        }
        return !isGivenUp
    }

    /// Whether the output begins with the end of `form`.
    ///
    /// - Parameter isWhole: the output may begin with all of it as well, which is not looked for here.
    private mutating func searchBeginning(shortest: Int, isWhole: Bool) {
        guard let first = bytes.first, let last = form.last else { return }
        var length = min(bytes.count, isWhole ? form.count - 1 : form.count)
        while length >= max(shortest, cut + 1), !isGivenUp {
            if form[form.count - length] == first, bytes[length - 1] == last, matches(at: 0, form.count - length) {
                cut = length
            }
            length -= 1
        }
        work += form.count / 4
    }

    /// Whether `form` is somewhere in the output.
    private mutating func occurs() -> Bool {
        var found = false
        forEachPlace { output, start in
            found = output.matches(at: start, 0)
            return !found
        }
        return found
    }

    private mutating func searchWhole() {
        forEachPlace { output, start in
            if output.longest[start] < output.form.count, output.matches(at: start, 0) {
                output.longest[start] = output.form.count
            }
            return true
        }
    }

    /// Calls `body` with the places at which `form` may be, until it says that it needs no more of them.
    private mutating func forEachPlace(_ body: (inout Self, Int) -> Bool) {
        let last = form.count - Self.run
        var rarest = (offset: 0, last: Int32(-1), count: Int.max)
        for offset in [last, 0, last / 2, last / 4, last / 4 * 3] {
            guard let run = runs[Self.key(form, offset)] else { return }
            if run.count < rarest.count { rarest = (offset, run.last, run.count) }
        }
        var place = Int(rarest.last)
        while place >= rarest.offset, !isGivenUp {
            work += 1
            let start = place - rarest.offset
            if start + form.count <= bytes.count, !body(&self, start) { return }
            place = Int(previous[place])
        }
    }

    /// Whether the form, from an offset on, is what the output has at a place; there is as much of it.
    private mutating func matches(at place: Int, _ offset: Int) -> Bool {
        let wanted = form.count - offset
        var done = 0
        let isThere = bytes.withUnsafeBytes { bytes in
            form.withUnsafeBytes { form in
                guard let left = bytes.baseAddress, let right = form.baseAddress else { return false }
                while done < wanted {
                    let count = min(512, wanted - done)
                    guard memcmp(left + place + done, right + offset + done, count) == 0 else { return false }
                    done += count
                }
                return true
            }
        }
        work += 1 + done / 16
        return isThere
    }

    private static func key(_ bytes: [UInt8], _ place: Int) -> UInt32 {
        UInt32(bytes[place]) << 24 | UInt32(bytes[place + 1]) << 16 | UInt32(bytes[place + 2]) << 8
            | UInt32(bytes[place + 3])
    }
}
