/// What a request gets.
struct HookAnswer: Sendable {
    enum Status: Int, Sendable {
        case ok = 200
        case badRequest = 400
        case unauthorized = 401
        case notFound = 404
        case methodNotAllowed = 405
        case timeout = 408
        case conflict = 409
        case tooLarge = 413
        case failed = 500
        case unavailable = 503
    }

    var status: Status
    /// JSON where the status is `ok` and it is not empty, else a sentence.
    var body: String

    static let done = HookAnswer(status: .ok, body: "")

    static func json(_ text: String) -> HookAnswer { HookAnswer(status: .ok, body: text) }

    /// Why a request is not carried out; the text never holds a value.
    struct Refusal: Error {
        let status: Status
        let message: String

        init(_ status: Status, _ message: String) {
            self.status = status
            self.message = message
        }
    }
}
