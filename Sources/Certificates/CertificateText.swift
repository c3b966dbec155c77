internal import Foundation
public import Model
internal import SwiftASN1
internal import X509

/// What a certificate says that somebody else has made.
public struct CertificateText: Equatable, Sendable {
    /// SHA-256 of the certificate as DER.
    public let fingerprint: Model.Digest
    /// Empty if it has none.
    public let commonName: String
    /// IP addresses that it is for, as bytes.
    public let addresses: Set<[UInt8]>
    /// The last moment at which it is valid; whole seconds.
    public let endsAt: Timestamp

    /// - Throws: `CertificateProblem` if the text is no certificate as PEM.
    public init(_ pem: String) throws(CertificateProblem) {
        do {
            let certificate = try X509.Certificate(pemEncoded: pem)
            fingerprint = Model.Digest.of(try certificate.serializeAsPEM().derBytes)
            endsAt = Timestamp(milliseconds: Int64(certificate.notValidAfter.timeIntervalSince1970) * 1000)
            let names = try certificate.extensions.subjectAlternativeNames
            addresses = Set(
                (names.map { Array($0) } ?? []).compactMap { name in
                    if case .ipAddress(let address) = name { Array(address.bytes) } else { nil }
                })
            commonName =
                certificate.subject.lazy.flatMap { $0 }.first { $0.type == .RDNAttributeType.commonName }
                .flatMap { String($0.value) } ?? ""
        } catch {
            throw CertificateProblem("this is no certificate as PEM")
        }
    }
}
