import Commands
import Model
import Planner
import Plans
import SSH
import Workers

extension BucketOptions {
    /// The host keys in the bucket's known_hosts file; nothing else is asked, so that planning gives the same everywhere.
    func hostKeys(_ configuration: BucketConfiguration) throws -> Planner.HostKeys {
        guard configuration.transport == .ssh else { return { _, _, _ in [] } }
        let known: KnownHosts
        do throws(SSHError) {
            known = try KnownHosts(of: configuration, in: folder)
        } catch {
            throw Failure(
                .invalidInput, "\(error)",
                "`known_hosts` in maand.conf names the file of the workers' host keys, below secrets/ unless absolute")
        }
        return { known.fingerprints(address: $0, port: $1, user: $2) }
    }
}
