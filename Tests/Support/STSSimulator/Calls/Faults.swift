import SimulatorModel

extension STSFault {
  /// The refusal that a fault is, where it is one.
  var error: AWSError? {
    switch kind {
    case .throttle: .throttling(retryAfter: retryAfter)
    case .http500: .internalFailure(retryAfter: retryAfter)
    case .http503: .serviceUnavailable(retryAfter: retryAfter)
    case .error:
      AWSError(status ?? 400, code ?? "InternalFailure", text ?? "A scripted error", retryAfter: retryAfter)
    case .accessDenied: .accessDenied(text ?? "User is not authorized to perform this action")
    case .expiredToken: .expiredToken
    case .invalidClientTokenId: .invalidClientTokenId
    case .http502, .reset, .close, .stall, .skew, .garbage, .strangeXML, .notHTTP, .truncate, .slow, .dropAnswer: nil
    }
  }

  /// Whether STS never gets to see the call.
  var preventsCall: Bool {
    switch kind {
    case .http502, .reset, .close, .stall: true
    case .throttle, .http500, .http503, .error, .accessDenied, .expiredToken, .invalidClientTokenId: true
    case .skew, .garbage, .strangeXML, .notHTTP, .truncate, .slow, .dropAnswer: false
    }
  }

  /// Whether no answer that is one reaches the caller.
  var hidesAnswer: Bool { [.reset, .close, .stall, .notHTTP, .dropAnswer].contains(kind) }

  /// The answer as this fault leaves it.
  func changed(_ response: HTTPResponse?) -> HTTPResponse? {
    switch kind {
    case .garbage: HTTPResponse(status: 200, contentType: "text/xml", body: text ?? "\u{1}not <xml at &all;")
    case .strangeXML:
      HTTPResponse(status: 200, contentType: "text/xml", body: "<html><body>Please log in to the hotel's network.</body></html>")
    case .http502:
      HTTPResponse(status: 502, contentType: "text/html", body: "<html><body><h1>502 Bad Gateway</h1></body></html>")
    default: response
    }
  }
}
