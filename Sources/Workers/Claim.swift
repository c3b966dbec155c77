internal import Crypto

/// What was done last for a job on a worker, as the controller knows it.
package enum Claim: Sendable {
    /// The attempt of this name ended with success.
    case attempt(String)
    /// These files were pushed, and nothing was run.
    case files([PushEntry])
}

/// Why a worker does not prove a claim.
package enum Doubt: Equatable, Sendable {
    /// Its receipts are not those that the run saw first.
    case otherReceipts
    /// It belongs to another run.
    case otherOwner
    /// It has no folder of the job.
    case noFolder
    /// Its list of what was pushed is another one.
    case otherFiles
    /// Another attempt was the last there, or none is known.
    case otherAttempt(String?)

    /// What a worker answers that was asked for a proof; nil where it has given it.
    static func of(_ answer: WorkerAnswer) throws(InvalidAnswer) -> Doubt? {
        let words = answer["state"]?.words(4) ?? []
        switch words.first {
        case "proved": return nil
        case "generation": return .otherReceipts
        case "unproved" where words.count > 1:
            switch words[1] {
            case "owner": return .otherOwner
            case "nojob": return .noFolder
            case "files": return .otherFiles
            default:
                guard words.count > 2 else { return .otherAttempt(nil) }
                return .otherAttempt(try AnswerText.word(words[2], "the last attempt that it knows"))
            }
        default: throw answer.unexpected
        }
    }

    /// For people.
    package var text: String {
        switch self {
        case .otherReceipts: "its receipts are not those that this run saw first"
        case .otherOwner: "it does not know that this run has taken it"
        case .noFolder: "the job has no folder there"
        case .otherFiles: "its list of pushed files is not the one that this run left"
        case .otherAttempt(let last?): "the last attempt that it knows of the job is \(last)"
        case .otherAttempt(nil): "it knows nothing of the attempt"
        }
    }
}

extension [PushEntry] {
    /// SHA-256 of the list that a worker keeps of these files once they are pushed.
    var deployedDigest: String {
        let lines = completed().map { "\($0.fields) ./\($0.path)/\n" }.joined()
        return SHA256.hash(data: [UInt8](lines.utf8)).hexadecimal
    }
}
