import VaultBytes
import VaultModel
import VaultSecrets

/// A call, signed unless the form itself proves who is calling: a posted form of the query protocol (STS, IAM) or JSON 1.1
/// (Identity Center's administration), or a GET of a REST service (IAM's access troubleshooter).
struct QueryRequest {
  /// Signing parameters: a credential, for a region and a service.
  struct Signer {
    let credential: Credential
    let region: String
    let service: String
  }

  let form: SecretBytes
  let address: WebAddress
  let signer: Signer?
  let route: NetworkSettings
  /// `SWBExternalService.ListInstances`: the operation of a call in JSON; nil for a form, which names its own.
  var target: String?
  /// What is after `?` of a GET, percent-encoded, which has no form; nil for a posted call.
  var query: String?

  /// - Parameter moment: the time to sign.
  func request(at moment: Timestamp) -> HTTPRequest {
    if let query { return get(query, at: moment) }
    var headers: [(name: String, value: String)] = [
      ("Host", address.hostHeader),
      ("Content-Type", target == nil ? "application/x-www-form-urlencoded; charset=utf-8" : "application/x-amz-json-1.1"),
    ]
    if let target { headers.append(("X-Amz-Target", target)) }
    if let signer { sign(&headers, signer, at: moment) }
    return HTTPRequest(
      method: "POST", url: address.text, headers: headers, body: form, route: route)
  }

  private func get(_ query: String, at moment: Timestamp) -> HTTPRequest {
    var headers: [(name: String, value: String)] = [("Host", address.hostHeader)]
    if let signer { sign(&headers, signer, method: "GET", query: query, at: moment) }
    return HTTPRequest(
      method: "GET", url: address.text, headers: headers, body: form, route: route,
      query: query.isEmpty ? nil : SecretBytes(query))
  }

  private func sign(
    _ headers: inout [(name: String, value: String)], _ signer: Signer, method: String = "POST", query: String = "",
    at moment: Timestamp
  ) {
    headers.append(("X-Amz-Date", moment.iso8601Basic))
    if let token = signer.credential.sessionToken {
      headers.append(("X-Amz-Security-Token", token.withBytes { String(decoding: $0, as: UTF8.self) }))
    }
    let payloadHash = form.withBytes { bytes -> String in
      var copy = Array(bytes)
      defer { wipe(&copy) }
      return hex(sha256(copy))
    }
    let signable = SignableRequest(method: method, path: address.path, query: query, headers: headers, body: [])
    let value = SigV4.authorization(
      signable, payloadHash: payloadHash, credential: signer.credential, region: signer.region, service: signer.service,
      at: moment)
    headers.append(("Authorization", value))
  }
}
