import VaultSecrets

/// The format of a service's responses and errors.
struct ResponseDecoder<Document> {
  /// An error, in the service's own words.
  struct Refusal {
    let code: String
    let text: String
  }

  /// "XML", as error messages name it.
  let name: String
  /// Nil for an invalid document; a successful call with an invalid response may be retried.
  let document: (SecretBytes) -> Document?
  /// For a response that is an error.
  let refusal: (HTTPResponse) -> Refusal?
  /// For a response without it in a header.
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
  /// Text; an error may still be JSON.
  static var text: Self { ResponseDecoder(name: "text", document: { $0 }, refusal: jsonRefusal, requestId: { _ in nil }) }
}

extension ResponseDecoder {
  /// `error` (OAuth, RFC 6749, 5.2), the header `x-amzn-errortype`, `__type` or `code` (AWS restJson1; Smithy, "Operation error
  /// serialization": the parts before `#` and after `:` do not belong to the code).
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
