import Synchronization
import VaultBytes
import VaultModel
import VaultSecrets

/// Waits on a port of this machine for the browser to return with the authorization code (RFC 8252, 7.3).
///
/// Other users' connections are closed without a response. A request without the expected state gets an error, and the wait
/// continues: any web page can make a browser send one.
final class SignInCallback: Sendable {
  static let path = "/oauth/callback"
  /// As registered: the port may be any (RFC 8252, 7.3).
  static let registeredURL = "http://127.0.0.1" + path

  private struct State {
    var waiter: CheckedContinuation<SecretBytes, any Error>?
    var outcome: Result<SecretBytes, any Error>?
  }
  private final class Box: Sendable {
    let state = Mutex(State())

    func resolve(_ outcome: Result<SecretBytes, any Error>) {
      let waiter = state.withLock { state -> CheckedContinuation<SecretBytes, any Error>? in
        guard state.outcome == nil else { return nil }
        state.outcome = outcome
        defer { state.waiter = nil }
        return state.waiter
      }
      waiter?.resume(with: outcome)
    }
  }

  private let box = Box()
  private let server: LoopbackServer
  var redirectURL: String { "http://127.0.0.1:\(server.port)\(Self.path)" }

  /// - Parameters:
  ///   - state: the state that the browser must return.
  ///   - turnedAway: called for another user's connection.
  init(state expected: SecretBytes, turnedAway: @escaping @Sendable (LoopbackPeer) -> Void) throws(AgentError) {
    server = try LoopbackServer(turnedAway: turnedAway) { [box] request, port in
      Self.answer(request, port: port, expecting: expected, box: box)
    }
  }

  /// The code. If nobody waits any longer, this throws a cancellation.
  func code() async throws -> SecretBytes {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let outcome = box.state.withLock { state -> Result<SecretBytes, any Error>? in
          if state.outcome == nil { state.waiter = continuation }
          return state.outcome
        }
        if let outcome { continuation.resume(with: outcome) }
      }
    } onCancel: {
      box.resolve(.failure(CancellationError()))
    }
  }

  /// The timeout has passed.
  func giveUp() { box.resolve(.failure(SignInError.tooLate)) }

  private static func answer(_ request: LoopbackServer.Request, port: Int, expecting expected: SecretBytes, box: Box)
    -> LoopbackServer.Response
  {
    guard request.path == path else { return page(404, "Not found.") }
    guard request.method == "GET" else { return page(405, "Only GET is allowed.") }
    // A host name that a web page made point here (DNS rebinding) is not the vault's address.
    guard request.values(of: "host") == ["127.0.0.1:\(port)"] else {
      return page(400, "This address is only for the sign-in.")
    }
    guard let state = request.only("state"), SecretBytes(state).equals(expected) else {
      return page(400, "This response does not belong to the sign-in that vault started. Return to the terminal and start again.")
    }
    if let error = request.only("error") {
      let why = error == "access_denied" ? SignInError.refused : SignInError.failed(String(error.prefix(200)))
      box.resolve(.failure(why))
      return page(200, "The sign-in was refused. You can close this page.")
    }
    guard let code = request.only("code"), (1...16_384).contains(code.utf8.count) else {
      return page(400, "The response has no code. Return to the terminal and start again.")
    }
    box.resolve(.success(SecretBytes(code)))
    return page(200, "You are signed in. You can close this page and go back to the terminal.")
  }

  private static func page(_ status: UInt32, _ text: String) -> LoopbackServer.Response {
    let html = """
      <!doctype html><html lang="en"><meta charset="utf-8"><title>vault</title>\
      <style>body{font:1.1rem system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem;color-scheme:light dark}</style>\
      <h1>vault</h1><p>\(text)</p></html>
      """
    return LoopbackServer.Response(
      status: status, type: "text/html; charset=utf-8", body: SecretBytes(html),
      headers: [
        ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        ("Referrer-Policy", "no-referrer"),
      ])
  }
}

/// Errors of a sign-in.
package enum SignInError: ReportableError, Hashable {
  case needed(name: String)
  case tooLate
  case refused
  /// The tokens are for other hosts than the config or an environment now names.
  case elsewhere(name: String)
  case failed(String)

  package var message: String {
    switch self {
    case .needed(let name): "you are not signed in to \(name)"
    case .tooLate: "the sign-in was not completed in time"
    case .refused: "the sign-in was refused"
    case .elsewhere(let name): "the sign-in to \(name) is for other hosts"
    case .failed(let why): "the sign-in failed: \(why)"
    }
  }

  package var hint: String? {
    switch self {
    case .needed(let name): "`vault login \(ShellText.word(name))`"
    case .tooLate: "`vault login` starts a new one"
    default: nil
    }
  }

  package var exitStatus: ExitStatus { .refused }
}
