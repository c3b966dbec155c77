internal import CYAML

/// Reads one YAML document, strictly.
///
/// Refused, each with its place: more than one document, nothing at all, anchors, aliases, tags, directives, double
/// keys, keys that are not scalars, bytes that are not UTF-8, a byte order mark, control characters, CRLF, and whatever
/// exceeds the limits. Comments are skipped: who must not accept them compares the file with its canonical form.
public enum YAMLDocument {
    /// - Parameters:
    ///   - bytes: the whole file.
    ///   - file: its path as the user gave it, for messages.
    /// - Throws: ``InputFailure`` with the first thing that is wrong.
    public static func parse(
        _ bytes: [UInt8], file: String, limits: InputLimits = .standard
    ) throws(InputFailure) -> Node {
        var source = SourceText(bytes: bytes, file: file)
        try source.check(.yaml, limits: limits)
        do {
            return try bytes.withUnsafeBufferPointer { buffer throws(TreeBuilder.Problem) in
                var builder = TreeBuilder(limits: limits)
                return try build(&builder, from: buffer)
            }
        } catch {
            // libyaml reports an unexpected end on a line of its own, even where the file has no line end there.
            let end = source.mark(atOffset: bytes.count)
            throw source.failure(at: min(error.mark, end), error.message, note: error.note)
        }
    }

    private static func build(
        _ builder: inout TreeBuilder, from buffer: UnsafeBufferPointer<UInt8>
    ) throws(TreeBuilder.Problem) -> Node {
        // On the heap: libyaml keeps pointers into the parser, so its address must not change.
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        let event = UnsafeMutablePointer<yaml_event_t>.allocate(capacity: 1)
        defer {
            parser.deallocate()
            event.deallocate()
        }
        let start = Mark(line: 1, column: 1)
        guard yaml_parser_initialize(parser) == 1 else {
            throw TreeBuilder.Problem(mark: start, message: "not enough memory to read the file")
        }
        defer { yaml_parser_delete(parser) }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, buffer.baseAddress, buffer.count)

        while true {
            guard yaml_parser_parse(parser, event) == 1 else { throw problem(parser.pointee) }
            defer { yaml_event_delete(event) }
            if event.pointee.type == YAML_STREAM_END_EVENT { break }
            try handle(event, &builder)
        }
        guard let root = builder.root else {
            throw TreeBuilder.Problem(mark: start, message: "the file holds no document")
        }
        return root
    }

    private static func handle(
        _ event: UnsafeMutablePointer<yaml_event_t>, _ builder: inout TreeBuilder
    ) throws(TreeBuilder.Problem) {
        let mark = Mark(event.pointee.start_mark)
        switch event.pointee.type {
        case YAML_SCALAR_EVENT:
            let scalar = event.pointee.data.scalar
            try refuse(anchor: scalar.anchor, tag: scalar.tag, at: mark)
            let text = String(
                decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            try builder.scalar(text, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE, at: mark)
        case YAML_MAPPING_START_EVENT:
            let mapping = event.pointee.data.mapping_start
            try refuse(anchor: mapping.anchor, tag: mapping.tag, at: mark)
            try builder.begin(mapping: true, at: mark)
        case YAML_SEQUENCE_START_EVENT:
            let sequence = event.pointee.data.sequence_start
            try refuse(anchor: sequence.anchor, tag: sequence.tag, at: mark)
            try builder.begin(mapping: false, at: mark)
        case YAML_MAPPING_END_EVENT, YAML_SEQUENCE_END_EVENT:
            try builder.end()
        case YAML_ALIAS_EVENT:
            throw TreeBuilder.Problem(
                mark: mark, message: "aliases (*) are not accepted", note: "a text that begins with * needs quotes")
        case YAML_DOCUMENT_START_EVENT:
            let document = event.pointee.data.document_start
            if document.version_directive != nil || document.tag_directives.start != document.tag_directives.end {
                throw TreeBuilder.Problem(mark: mark, message: "directives (%) are not accepted")
            }
            if builder.root != nil {
                throw TreeBuilder.Problem(mark: mark, message: "a second document begins here; only one is accepted")
            }
        default:
            break  // The begin of the stream and the end of the document say nothing new.
        }
    }

    private static func refuse(
        anchor: UnsafeMutablePointer<yaml_char_t>?, tag: UnsafeMutablePointer<yaml_char_t>?, at mark: Mark
    ) throws(TreeBuilder.Problem) {
        if anchor != nil {
            throw TreeBuilder.Problem(
                mark: mark, message: "anchors (&) are not accepted", note: "a text that begins with & needs quotes")
        }
        if tag != nil {
            throw TreeBuilder.Problem(
                mark: mark, message: "tags (!) are not accepted", note: "a text that begins with ! needs quotes")
        }
    }

    private static func problem(_ parser: yaml_parser_t) -> TreeBuilder.Problem {
        let message = parser.problem.map { String(cString: $0) } ?? "out of memory"
        var note: String?
        if let context = parser.context {
            let mark = Mark(parser.context_mark)
            note = "\(String(cString: context)) at line \(mark.line), column \(mark.column)"
        }
        return TreeBuilder.Problem(mark: Mark(parser.problem_mark), message: "not valid YAML: \(message)", note: note)
    }
}

extension Mark {
    /// libyaml counts from 0, in characters.
    fileprivate init(_ mark: yaml_mark_t) {
        self.init(line: mark.line + 1, column: mark.column + 1)
    }
}
