import VaultSecrets

/// How a service writes its answers and its errors.
struct ResponseDecoder<Document> {
  /// What went wrong, in the service's own words.
  struct Refusal {
    let code: String
    let text: String
  }

  /// "XML", as an error names it.
  let name: String
  /// Nil for what is none; an answer to a call that succeeded may be made again then.
  let document: (SecretBytes) -> Document?
  /// Where the answer is an error.
  let refusal: (HTTPResponse) -> Refusal?
  /// Where no header says it.
  let requestId: (HTTPResponse) -> String?
}

extension ResponseDecoder where Document == XMLElements {
  /// STS and IAM: the query protocol.
  static var xml: Self {
    ResponseDecoder(
      name: "XML", document: { XMLElements($0) },
      refusal: { response in
        guard let elements = XMLElements(response.body), let code = elements.text("Error/Code") else { return nil }
        return Refusal(code: code, text: elements.text("Error/Message") ?? "")
      },
      requestId: { XMLElements($0.body)?.text("RequestId") })
  }
}

extension ResponseDecoder where Document == JSONDocument {
  /// The REST services, and the endpoints of containers and instances.
  static var json: Self {
    ResponseDecoder(name: "JSON", document: { JSONDocument($0) }, refusal: jsonRefusal, requestId: { _ in nil })
  }
}

extension ResponseDecoder where Document == SecretBytes {
  /// A text, where an error may still be JSON.
  static var text: Self { ResponseDecoder(name: "text", document: { $0 }, refusal: jsonRefusal, requestId: { _ in nil }) }
}

extension ResponseDecoder {
  /// `error` (OAuth, RFC 6749, 5.2), the header `x-amzn-errortype`, `__type` or `code` (AWS restJson1; Smithy, "Operation error
  /// serialization": what stands before `#` and behind `:` is not part of the code).
  private static func jsonRefusal(_ response: HTTPResponse) -> Refusal? {
    let body = JSONDocument(response.body)
    let code =
      body?.text("error") ?? response["x-amzn-errortype"] ?? body?.text("__type") ?? body?.text("code") ?? body?.text("Code")
    guard let code, let name = code.split(separator: ":").first?.split(separator: "#").last else { return nil }
    return Refusal(
      code: String(name.prefix(128)),
      text: body?.text("error_description") ?? body?.text("message") ?? body?.text("Message") ?? "")
  }
}
