import VaultModel
import VaultSecrets

/// A call of a REST service with JSON, unsigned: a token in it identifies the caller.
struct JSONRequest {
  var method = "POST"
  let address: WebAddress
  /// `name=value&…`, percent-encoded.
  var query: SecretBytes?
  var headers: [(name: String, value: String)] = []
  var body: SecretBytes?
  let route: NetworkSettings

  var request: HTTPRequest {
    var all: [(name: String, value: String)] = [("Host", address.hostHeader), ("Accept", "application/json")]
    if body != nil { all.append(("Content-Type", "application/json")) }
    return HTTPRequest(
      method: method, url: address.text, headers: all + headers, body: body ?? SecretBytes(""), route: route, query: query)
  }
}
