/// placeholder until written
enum BcryptKeyDerivation {
    static func derive(passphrase: [UInt8], salt: [UInt8], rounds: Int, count: Int) -> [UInt8] { [] }
}
