import VaultModel

/// Answers in the shape of AWS's query protocol.
enum XMLAnswer {
  private static let namespace = "https://sts.amazonaws.com/doc/2011-06-15/"

  static func success(_ action: String, _ result: XMLElement, requestId: String) -> HTTPResponse {
    let answer = XMLElement(
      "\(action)Response",
      [
        XMLElement("\(action)Result", result.children),
        XMLElement("ResponseMetadata", [XMLElement("RequestId", text: requestId)]),
      ])
    return response(200, answer, requestId: requestId)
  }

  static func failure(_ error: AWSError, requestId: String) -> HTTPResponse {
    let answer = XMLElement(
      "ErrorResponse",
      [
        XMLElement(
          "Error",
          [
            XMLElement("Type", text: error.type), XMLElement("Code", text: error.code),
            XMLElement("Message", text: error.message),
          ]),
        XMLElement("RequestId", text: requestId),
      ])
    var response = response(error.status, answer, requestId: requestId)
    if let seconds = error.retryAfter { response.headers.append(("Retry-After", "\(seconds)")) }
    return response
  }

  static func credentials(_ session: IssuedSession) -> XMLElement {
    XMLElement(
      "Credentials",
      [
        XMLElement("AccessKeyId", text: session.accessKeyId), XMLElement("SecretAccessKey", text: session.secretAccessKey),
        XMLElement("SessionToken", text: session.sessionToken), XMLElement("Expiration", text: session.expiresAt.iso8601),
      ])
  }

  private static func response(_ status: Int, _ root: XMLElement, requestId: String) -> HTTPResponse {
    var response = HTTPResponse(status: status, contentType: "text/xml", body: root.text(attributes: " xmlns=\"\(namespace)\""))
    response.headers = [("x-amzn-RequestId", requestId)]
    return response
  }
}

/// An element with a text, or with elements in it.
struct XMLElement {
  let name: String
  let children: [XMLElement]
  private let content: String?

  init(_ name: String, _ children: [XMLElement]) {
    self.name = name
    self.children = children
    content = nil
  }

  init(_ name: String, text: String) {
    self.name = name
    children = []
    content = text
  }

  func text(indentation: String = "", attributes: String = "") -> String {
    if let content { return "\(indentation)<\(name)\(attributes)>\(Self.escape(content))</\(name)>\n" }
    let inner = children.map { $0.text(indentation: indentation + "  ") }.joined()
    return "\(indentation)<\(name)\(attributes)>\n\(inner)\(indentation)</\(name)>\n"
  }

  private static func escape(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "\t", "\n", "\r": escaped += "&#\(scalar.value);"
      // No other control character can stand in XML 1.0.
      case _ where scalar.value < 32: escaped += "\u{FFFD}"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}
