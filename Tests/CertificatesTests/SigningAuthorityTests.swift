import Certificates
import Foundation
import Model
import SwiftASN1
import Testing
import X509

private let now = Timestamp(milliseconds: 1_766_000_000_000)
private let day: Int64 = 86_400_000

/// Made once: a key of 4096 bits takes a while.
private let authority = Result { try SigningAuthority.make(named: "test", from: now, days: 100) }

@Suite struct SigningAuthorityTests {
    private let made: Certificates.KeyPair

    init() throws { made = try authority.get() }

    private func issue(
        _ names: [String] = ["localhost"], commonName: String = "api", isPKCS8: Bool = false, days: Int = 10
    ) throws -> (pair: Certificates.KeyPair, certificate: X509.Certificate) {
        let pair = try SigningAuthority(certificate: made.certificate, key: made.key).issue(
            .init(commonName: commonName, names: names, isPKCS8: isPKCS8), from: now, days: days)
        return (pair, try X509.Certificate(pemEncoded: pair.certificate))
    }

    @Test func aCertificateIsOfItsKeyAndOfTheAuthority() throws {
        let (pair, certificate) = try issue()
        #expect(try X509.Certificate.PrivateKey(pemEncoded: pair.key).publicKey == certificate.publicKey)
        let root = try X509.Certificate(pemEncoded: made.certificate)
        #expect(root.publicKey.isValidSignature(certificate.signature, for: certificate))
        #expect(certificate.issuer == root.subject)
        #expect(
            try certificate.extensions.authorityKeyIdentifier?.keyIdentifier
                == root.extensions.subjectKeyIdentifier?.keyIdentifier)
        #expect(try certificate.extensions.basicConstraints == .notCertificateAuthority)
        #expect(pair.fingerprint == Digest.of(try PEMDocument(pemString: pair.certificate).derBytes))
    }

    @Test func eachHasAKeyAndANumberOfItsOwn() throws {
        let (one, first) = try issue()
        let (other, second) = try issue()
        #expect(one.key != other.key && first.serialNumber != second.serialNumber)
    }

    @Test func namesAreAddressesOrNames() throws {
        let (_, certificate) = try issue(["db.example.com", "*.example.com", "10.0.0.7", "fd00::17"])
        let names = try #require(try certificate.extensions.subjectAlternativeNames)
        #expect(
            Array(names) == [
                .dnsName("db.example.com"), .dnsName("*.example.com"),
                .ipAddress(ASN1OctetString(contentBytes: [10, 0, 0, 7])),
                .ipAddress(ASN1OctetString(contentBytes: [0xfd] + Array(repeating: 0, count: 14) + [0x17])),
            ])
        #expect(throws: CertificateProblem.self) { try issue(["a b"]) }
        #expect(throws: CertificateProblem.self) { try issue(["10.0.0.256"]) }
    }

    @Test func withoutACommonNameNobodyMayOverlookTheNames() throws {
        func isCritical(_ certificate: X509.Certificate) -> Bool? {
            certificate.extensions[oid: .X509ExtensionID.subjectAlternativeName]?.critical
        }
        #expect(isCritical(try issue(commonName: "").certificate) == true)
        #expect(isCritical(try issue(commonName: "api").certificate) == false)
    }

    @Test(arguments: [(false, "-----BEGIN RSA PRIVATE KEY-----\n"), (true, "-----BEGIN PRIVATE KEY-----\n")])
    func keysHaveBothForms(_ isPKCS8: Bool, _ begin: String) throws {
        let key = try issue(isPKCS8: isPKCS8).pair.key
        #expect(key.hasPrefix(begin) && key.hasSuffix("-----\n"))
    }

    @Test func noneOutlivesItsAuthority() throws {
        #expect(try issue(days: 10).pair.endsAt == Timestamp(milliseconds: now.milliseconds + 10 * day))
        #expect(made.endsAt == Timestamp(milliseconds: now.milliseconds + 100 * day))
        #expect(try issue(days: 200).pair.endsAt == made.endsAt)
    }

    @Test func whatDoesNotBelongTogetherIsRefused() throws {
        let other = try issue().pair
        #expect(throws: CertificateProblem.self) {
            try SigningAuthority(certificate: made.certificate, key: other.key)
        }
        #expect(throws: CertificateProblem.self) {
            try SigningAuthority(certificate: "nothing", key: made.key)
        }
    }
}
