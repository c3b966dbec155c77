/// What a connection was doing when its time ran out.
public enum SSHPhase: String, Sendable, Hashable {
    case nameLookup = "looking up the host name"
    case connecting = "connecting"
    case jump = "opening the way through the jump host"
    case greeting = "waiting for the server's greeting"
    case handshake = "the key exchange"
    case authentication = "authentication"
    case channel = "opening a channel"
    case command = "running the command"
}
