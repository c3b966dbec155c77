internal import YAML

/// What readers of this program's own files have in common: each piece records what is wrong with it, and is nil then.
protocol NodeReading {
    var reader: Reader { get }
}

extension NodeReading {
    func fields<T>(_ node: Node?, _ body: (inout MappingReader) -> T?) -> T? {
        guard let node, var map = reader.mapping(node) else { return nil }
        let value = body(&map)
        map.finish()
        return value
    }

    func list<T>(_ node: Node?, _ item: (Node) -> T?) -> [T]? {
        guard let node, let nodes = reader.sequence(node) else { return nil }
        var items: [T] = []
        items.reserveCapacity(nodes.count)
        for node in nodes { if let value = item(node) { items.append(value) } else { return nil } }
        return items
    }

    /// A mapping whose keys are the user's: name -> (the key's node, value), in the file's order.
    func named<T>(_ node: Node?, _ item: (Node) -> T?) -> [(name: String, value: (node: Node, value: T))]? {
        guard let node, let map = reader.mapping(node) else { return nil }
        var items: [(name: String, value: (node: Node, value: T))] = []
        for entry in map.entries {
            guard let key = reader.string(entry.key), let value = item(entry.value) else { return nil }
            items.append((key, (entry.key, value)))
        }
        return items
    }

    func string(_ node: Node?) -> String? { node.flatMap(reader.string) }

    func string(_ node: Node) -> String? {
        guard let text = reader.string(node) else { return nil }
        // It may become an argument of a command, which a NUL would cut.
        if text.utf8.contains(0) {
            reader.error(node, "a NUL character is not allowed here")
            return nil
        }
        return text
    }

    func version(_ node: Node?) -> String? {
        guard let node, let text = string(node) else { return nil }
        if Version(text) == nil {
            reader.error(node, "a version has one to three numbers, such as \"2.1.0\"", note: Version.characters)
            return nil
        }
        return text
    }

    func boolean(_ node: Node?) -> Bool? { node.flatMap(reader.boolean) }

    func integer(_ node: Node?, _ range: ClosedRange<Int>) -> Int? {
        node.flatMap { reader.integer($0, in: range) }
    }

    func name<Kind>(_ node: Node?) -> Name<Kind>? {
        guard let node, let text = reader.string(node) else { return nil }
        guard let name = Name<Kind>(text) else {
            reader.error(node, "a name consists of letters, digits and `._:-`, and does not begin with `-`")
            return nil
        }
        return name
    }

    func names<Kind>(_ node: Node?) -> [Name<Kind>]? { list(node) { name($0) } }

    func digest(_ node: Node, _ text: String) -> Digest? {
        guard let digest = Digest(text) else {
            reader.error(node, "expected `sha256:` and 64 hexadecimal digits")
            return nil
        }
        return digest
    }

    func word<Word: RawRepresentable<String> & CaseIterable>(_ node: Node?) -> Word? {
        node.flatMap { reader.choice($0, of: Word.self) }
    }

    func all<A, B>(_ a: A?, _ b: B?) -> (A, B)? {
        guard let a, let b else { return nil }
        return (a, b)
    }

    func all<A, B, C>(_ a: A?, _ b: B?, _ c: C?) -> (A, B, C)? {
        guard let a, let b, let c else { return nil }
        return (a, b, c)
    }

    func all<A, B, C, D>(_ a: A?, _ b: B?, _ c: C?, _ d: D?) -> (A, B, C, D)? {
        guard let a, let b, let c, let d else { return nil }
        return (a, b, c, d)
    }

    /// Tags of a worker, whose names are the user's.
    private func tags(_ node: Node) -> [String: String]? {
        guard let entries = named(node, string) else { return nil }
        return Dictionary(entries.map { ($0.name, $0.value.value) }, uniquingKeysWith: { _, last in last })
    }

    /// How one worker is reached, with the fields of ssh or without.
    func worker(_ node: Node, isSSH: Bool) -> PlanWorker? {
        fields(node) { map in
            let worker: WorkerName? = name(map.required("worker"))
            let addressNode = map.required("address")
            let address = string(addressNode)
            if let addressNode, let address, WorkerName(address) == nil {
                reader.error(
                    addressNode, "an address consists of letters, digits and `._:-`, and does not begin with `-`")
            }
            var ssh: PlanWorker.SSHIdentity?
            if isSSH {
                guard let port = integer(map.required("port"), Plan.portRange), let user = string(map.required("user")),
                    let keys = list(map.required("host_keys"), string)
                else { return nil }
                ssh = PlanWorker.SSHIdentity(port: port, user: user, hostKeys: keys)
            }
            let zone = map.optional("zone").flatMap(string)
            let tags = map.optional("tags").map(tags) ?? [:]
            let isRemoved = map.optional("removed").flatMap(boolean) ?? false
            guard let worker, let address, let tags else { return nil }
            var known = PlanWorker(worker: worker, address: address, ssh: ssh, zone: zone, isRemoved: isRemoved)
            known.tags = tags
            return known
        }
    }
}
