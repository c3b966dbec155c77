internal import Crypto
internal import Foundation
internal import Model

/// The key with which Maand has encrypted the secrets of a bucket.
public struct MaandKey: Sendable {
    /// Its file, in the bucket's folder: 32 bytes.
    public static let file = "secrets/kv.key"

    /// Nil if there is no file.
    private let bytes: [UInt8]?

    /// Reads the file, if there is one.
    public init(in folder: String) {
        bytes = FileManager.default.contents(atPath: "\(folder)/\(Self.file)").map { Array($0) }
    }

    /// What encrypted values begin with.
    private static let sealed = "enc:v1:"

    /// The text of a value. Encrypted is AES-256-GCM without additional data; the nonce comes first and the tag last.
    ///
    /// - Throws: `MaandProblem` if the key is missing, or is another one.
    public func open(_ value: MaandRecords.Value) throws(MaandProblem) -> String {
        guard value.namespace.isSecret, value.stored.hasPrefix(Self.sealed) else { return value.stored }
        let what = "\(value.key) of \(value.namespace)"
        guard let bytes else {
            throw MaandProblem("\(Self.file) is missing, and \(what) is encrypted with it: put it back from a backup")
        }
        guard bytes.count == 32, let combined = Data(base64Encoded: String(value.stored.dropFirst(Self.sealed.count))),
            let box = try? AES.GCM.SealedBox(combined: combined),
            let plain = try? AES.GCM.open(box, using: SymmetricKey(data: bytes)),
            let text = String(validating: Array(plain), as: UTF8.self)
        else {
            throw MaandProblem(
                "\(what) cannot be decrypted with \(Self.file): is that the key of this bucket? `maand-plan kv rotate-key` "
                    + "replaces it; what Maand has written since then cannot be taken over")
        }
        return text
    }
}
