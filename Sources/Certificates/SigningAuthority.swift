internal import CryptoExtras
internal import Foundation
public import Model
internal import SwiftASN1
internal import X509

/// A certificate with its key, as PEM.
public struct KeyPair: Sendable {
    public let certificate: String
    public let key: String
    /// SHA-256 of the certificate as DER.
    public let fingerprint: Model.Digest
    /// The last moment at which it is valid; whole seconds.
    public let endsAt: Timestamp
}

/// An authority that signs certificates of services. Its key is in memory alone.
///
/// ```swift
/// let pair = try SigningAuthority.make(named: "bucket CA", from: now, days: 3650)
/// let authority = try SigningAuthority(certificate: pair.certificate, key: pair.key)
/// let leaf = try authority.issue(.init(commonName: "api", names: ["10.0.0.1"]), from: now, days: 60)
/// ```
public struct SigningAuthority: Sendable {
    private let certificate: X509.Certificate
    private let key: X509.Certificate.PrivateKey

    /// - Throws: `CertificateProblem` if one of the two cannot be read, or if they do not belong together.
    public init(certificate: String, key: String) throws(CertificateProblem) {
        do {
            self.certificate = try X509.Certificate(pemEncoded: certificate)
            self.key = try X509.Certificate.PrivateKey(pemEncoded: key)
        } catch {
            throw CertificateProblem("the authority's certificate or key cannot be read")
        }
        guard self.certificate.publicKey == self.key.publicKey else {
            throw CertificateProblem("the authority's certificate and key do not belong together")
        }
    }

    /// What a certificate says of its service.
    public struct Subject: Sendable {
        public var commonName: String
        /// Host names and addresses.
        public var names: [String]
        /// The key is written as PKCS #8 (`PRIVATE KEY`), and otherwise as PKCS #1 (`RSA PRIVATE KEY`).
        public var isPKCS8: Bool

        public init(commonName: String, names: [String], isPKCS8: Bool = false) {
            self.commonName = commonName
            self.names = names
            self.isPKCS8 = isPKCS8
        }
    }

    /// Makes an authority that signs itself, with an RSA key of 4096 bits.
    ///
    /// - Parameter days: how long it is valid, at least 1.
    /// - Throws: `CertificateProblem`.
    public static func make(
        named commonName: String, from: Timestamp, days: Int
    ) throws(CertificateProblem) -> KeyPair {
        do {
            let rsa = try _RSA.Signing.PrivateKey(keySize: .init(bitCount: 4096))
            let key = X509.Certificate.PrivateKey(rsa)
            let name = try Self.name(commonName)
            let certificate = try X509.Certificate(
                version: .v3, serialNumber: .init(), publicKey: key.publicKey,
                notValidBefore: from.earlier.date, notValidAfter: from.adding(days: days).date, issuer: name,
                subject: name,
                extensions: .init {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                    Critical(KeyUsage(digitalSignature: true, keyEncipherment: true, keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: key.publicKey)
                }, issuerPrivateKey: key)
            return try Self.pair(certificate, rsa.pemRepresentation)
        } catch {
            throw CertificateProblem("an authority cannot be made: \(error)")
        }
    }

    /// Makes a key, RSA of 2048 bits, and signs a certificate for it. It is not valid for longer than the authority.
    ///
    /// - Throws: `CertificateProblem`, also for what is neither a host's name nor an address.
    public func issue(_ subject: Subject, from: Timestamp, days: Int) throws(CertificateProblem) -> KeyPair {
        for name in subject.names where HostText(name) == nil {
            throw CertificateProblem("\(name) is neither the name of a host nor an address")
        }
        do {
            let rsa = try _RSA.Signing.PrivateKey(keySize: .bits2048)
            let key = X509.Certificate.PrivateKey(rsa)
            let authority = try certificate.extensions.subjectKeyIdentifier?.keyIdentifier
            let certificate = try X509.Certificate(
                version: .v3, serialNumber: .init(), publicKey: key.publicKey, notValidBefore: from.earlier.date,
                notValidAfter: min(from.adding(days: days).date, certificate.notValidAfter),
                issuer: certificate.subject, subject: try Self.name(subject.commonName),
                extensions: .init {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true, keyEncipherment: true))
                    try ExtendedKeyUsage([.serverAuth, .clientAuth])
                    SubjectKeyIdentifier(hash: key.publicKey)
                    if let authority { AuthorityKeyIdentifier(keyIdentifier: authority) }
                    if !subject.names.isEmpty {
                        try X509.Certificate.Extension(
                            SubjectAlternativeNames(subject.names.compactMap { HostText($0)?.generalName }),
                            // RFC 5280, 4.2.1.6: where there is no other name of the subject, nobody may overlook these.
                            critical: subject.commonName.isEmpty)
                    }
                }, issuerPrivateKey: self.key)
            return try Self.pair(certificate, subject.isPKCS8 ? rsa.pkcs8PEMRepresentation : rsa.pemRepresentation)
        } catch {
            throw CertificateProblem("the certificate \(subject.commonName) cannot be made: \(error)")
        }
    }

    /// Whether an authority has signed a certificate; false if one of the two cannot be read.
    public static func isSigned(_ certificate: String, by authority: String) -> Bool {
        guard let leaf = try? X509.Certificate(pemEncoded: certificate),
            let root = try? X509.Certificate(pemEncoded: authority)
        else { return false }
        return root.publicKey.isValidSignature(leaf.signature, for: leaf)
    }

    private static func name(_ text: String) throws -> DistinguishedName {
        if text.isEmpty { return DistinguishedName() }
        return try DistinguishedName { CommonName(text) }
    }

    private static func pair(_ certificate: X509.Certificate, _ key: String) throws -> KeyPair {
        let document = try certificate.serializeAsPEM()
        return KeyPair(
            certificate: document.pemString + "\n", key: key.last == "\n" ? key : key + "\n",
            fingerprint: Model.Digest.of(document.derBytes),
            endsAt: Timestamp(milliseconds: Int64(certificate.notValidAfter.timeIntervalSince1970) * 1000))
    }
}

/// Why a certificate cannot be made or read. The text holds no key.
public struct CertificateProblem: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}

extension Timestamp {
    fileprivate var date: Date { Date(timeIntervalSince1970: Double(milliseconds / 1000)) }

    /// Clocks of hosts may be late.
    fileprivate var earlier: Timestamp { Timestamp(milliseconds: milliseconds - 300_000) }

    fileprivate func adding(days: Int) -> Timestamp { Timestamp(milliseconds: milliseconds + Int64(days) * 86_400_000) }
}

extension HostText {
    fileprivate var generalName: GeneralName {
        switch self {
        case .address(let bytes): .ipAddress(ASN1OctetString(contentBytes: bytes[...]))
        case .name(let name): .dnsName(name)
        }
    }
}
