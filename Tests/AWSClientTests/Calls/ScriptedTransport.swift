import Synchronization
import VaultModel
import VaultSecrets

@testable import AWSClient

/// Answers with what a script says, in order, and keeps what was asked.
final class ScriptedTransport: HTTPTransport {
  enum Step: Sendable {
    case answer(status: Int, body: String, headers: [(name: String, value: String)] = [])
    case failure(TransportError)
  }

  private let state: Mutex<(steps: [Step], requests: [HTTPRequest])>

  init(_ steps: [Step]) { state = Mutex((steps, [])) }

  var requests: [HTTPRequest] { state.withLock { $0.requests } }

  func send(_ request: HTTPRequest) async throws(TransportError) -> HTTPResponse {
    let step = state.withLock { state -> Step? in
      state.requests.append(request)
      return state.steps.isEmpty ? nil : state.steps.removeFirst()
    }
    switch step {
    case .answer(let status, let body, let headers):
      return HTTPResponse(status: status, headers: headers, body: SecretBytes(body))
    case .failure(let error): throw error
    case nil: throw .cut(host: "the script", why: "it is over")
    }
  }
}

extension ScriptedTransport.Step {
  /// An error as STS sends it.
  static func error(
    _ code: String, _ message: String = "", status: Int, headers: [(name: String, value: String)] = []
  ) -> ScriptedTransport.Step {
    let body = """
      <ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>\(code)</Code>
      <Message>\(message)</Message></Error><RequestId>req-error</RequestId></ErrorResponse>
      """
    return .answer(status: status, body: body, headers: headers)
  }

  /// Credentials that end at `expiration`, of the role and the session's name that the tests of this action ask for.
  static func credentials(action: String = "AssumeRole", expiration: String = "2026-11-23T13:00:00Z", extra: String = "")
    -> ScriptedTransport.Step
  {
    let name = action == "AssumeRole" ? "ann@desk" : "ann"
    let user =
      action == "GetSessionToken" || extra.contains("<AssumedRoleUser>")
      ? "" : "<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/dev/\(name)</Arn></AssumedRoleUser>"
    let body = """
      <\(action)Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><\(action)Result><Credentials>
      <AccessKeyId>ASIAEXAMPLEEXAMPLE00</AccessKeyId><SecretAccessKey>secretsecretsecretsecret/+=</SecretAccessKey>
      <SessionToken>tokentokentokentoken/+=</SessionToken><Expiration>\(expiration)</Expiration></Credentials>\(user)\(extra)
      </\(action)Result><ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata></\(action)Response>
      """
    return .answer(status: 200, body: body)
  }
}
