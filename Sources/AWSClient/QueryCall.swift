import VaultModel
import VaultSecrets

/// A call of the query protocol: a form in, XML back (STS and IAM).
struct QueryCall {
  let action: String
  /// `sts` or `iam`, as the signature names it.
  let service: String
  let body: SecretBytes
  /// Nil for the calls that take no signature (`AssumeRoleWithWebIdentity`, `AssumeRoleWithSAML`).
  let credential: Credential?
  /// False for what makes something that there must be one of.
  var mayRepeat = true

  func make(by caller: AWSCaller, at endpoint: AWSEndpoint, via route: Route) async throws -> AWSCaller.Answer<XMLElements> {
    try await caller.call(action, at: endpoint.host, mayRepeat: mayRepeat) { moment in
      request(endpoint, route, moment)
    } read: { response in
      let elements = XMLElements(response.body)
      if (200..<300).contains(response.status), let elements {
        return .value(elements, requestId: elements.text("RequestId"))
      }
      if let code = elements?.text("Error/Code") {
        return .refusal(code: code, text: elements?.text("Error/Message") ?? "", requestId: elements?.text("RequestId"))
      }
      return .garbled("status \(response.status) and \(response.body.count) bytes that are not XML")
    }
  }

  private func request(_ endpoint: AWSEndpoint, _ route: Route, _ moment: Timestamp) -> HTTPRequest {
    var headers: [(name: String, value: String)] = [
      ("Host", endpoint.host), ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
    ]
    if let credential {
      headers.append(("X-Amz-Date", moment.iso8601Basic))
      if let token = credential.sessionToken {
        headers.append(("X-Amz-Security-Token", token.withBytes { String(decoding: $0, as: UTF8.self) }))
      }
      let payloadHash = body.withBytes { bytes -> String in
        var copy = Array(bytes)
        defer { wipe(&copy) }
        return SigV4.hex(sha256(copy))
      }
      let signable = SignableRequest(method: "POST", path: endpoint.address.path, query: "", headers: headers, body: [])
      headers.append(
        (
          "Authorization",
          SigV4.authorization(
            signable, payloadHash: payloadHash, credential: credential, region: endpoint.signingRegion, service: service,
            at: moment)
        ))
    }
    return HTTPRequest(
      method: "POST", url: endpoint.url, headers: headers, body: body, caBundle: route.caBundle,
      proxy: route.proxies.proxy(for: endpoint.address))
  }
}
