import VaultModel

/// An answer, before it is bytes.
struct HTTPResponse: Sendable {
  var status: Int
  var headers: [(name: String, value: String)] = []
  var contentType: String
  var body: [UInt8]

  init(status: Int, contentType: String, body: String) {
    self.status = status
    self.contentType = contentType
    self.body = Array(body.utf8)
  }

  /// The answer as it goes over the wire.
  ///
  /// - Parameters:
  ///   - date: the simulator's clock, which clients correct theirs by.
  ///   - keepAlive: whether the connection stays.
  func bytes(date: Timestamp, keepAlive: Bool) -> [UInt8] {
    var head = "HTTP/1.1 \(status) \(Self.reason(status))\r\n"
    for (name, value) in headers { head += "\(name): \(value)\r\n" }
    head += "Content-Type: \(contentType)\r\nContent-Length: \(body.count)\r\nDate: \(Self.imfDate(date))\r\n"
    if !keepAlive { head += "Connection: close\r\n" }
    return Array((head + "\r\n").utf8) + body
  }

  private static func reason(_ status: Int) -> String {
    switch status {
    case 200: "OK"
    case 302: "Found"
    case 401: "Unauthorized"
    case 400: "Bad Request"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 411: "Length Required"
    case 413: "Content Too Large"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    default: "Status"
    }
  }

  /// `Mon, 23 Nov 2026 20:02:27 GMT` (RFC 9110, 5.6.7).
  static func imfDate(_ moment: Timestamp) -> String {
    let seconds = moment.seconds
    let date = CivilDate(secondsSince1970: seconds)
    let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
    // 1970-01-01 was a Thursday.
    let weekday = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][Int(((days + 4) % 7 + 7) % 7)]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let time = "\(two(date.hour)):\(two(date.minute)):\(two(date.second))"
    return "\(weekday), \(two(date.day)) \(months[date.month - 1]) \(date.year) \(time) GMT"
  }
}
