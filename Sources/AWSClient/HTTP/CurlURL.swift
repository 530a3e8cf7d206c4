import CCurl
import VaultModel

/// A URL as libcurl reads it: the parser that decides whom to trust is the one that decides whom to call.
struct CurlURL: ~Copyable {
  private let handle: OpaquePointer

  /// - Parameter flags: as of curl_url_set(3).
  /// - Returns: nil for text that libcurl does not accept.
  init?(_ text: String, flags: UInt32 = 0) {
    guard let handle = curl_url() else { return nil }
    guard curl_url_set(handle, CURLUPART_URL, text, flags) == CURLUE_OK else {
      curl_url_cleanup(handle)
      return nil
    }
    self.handle = handle
  }

  /// The text of a reference that is found at a URL (RFC 3986, section 5.2); nil for what libcurl does not accept.
  static func resolve(_ reference: String, at base: String) -> String? {
    // For libcurl, an empty reference is the base itself.
    guard !reference.isEmpty, let url = CurlURL(base),
      curl_url_set(url.handle, CURLUPART_URL, reference, UInt32(CURLU_DISALLOW_USER)) == CURLUE_OK
    else { return nil }
    return url.part(CURLUPART_URL)
  }

  deinit { curl_url_cleanup(handle) }

  /// Nil if the URL has no such part.
  func part(_ part: CURLUPart) -> String? {
    var text: UnsafeMutablePointer<CChar>?
    guard curl_url_get(handle, part, &text, 0) == CURLUE_OK, let text else { return nil }
    defer { curl_free(text) }
    return String(cString: text)
  }
}

extension WebAddress {
  /// Parses a URL with libcurl, and refuses what libcurl would change before it connects.
  ///
  /// Stricter than RFC 3986, since it comes from a config file or an environment: http or https, plain ASCII, no user information,
  /// query or fragment. The text must begin with the scheme, host and port as libcurl understood them. So there are no escapes in
  /// the host, no `127.1`, no zone, no third slash, no empty port and no leading zeros.
  public init?(_ text: String) {
    let isPlain = text.utf8.allSatisfy { (33...126).contains($0) && !"\"\\?#<>^`{|}".utf8.contains($0) }
    guard text.utf8.count <= 2_048, isPlain, let url = CurlURL(text, flags: UInt32(CURLU_DISALLOW_USER)) else { return nil }
    guard let scheme = url.part(CURLUPART_SCHEME), scheme == "https" || scheme == "http",
      let name = url.part(CURLUPART_HOST)?.lowercased(), url.part(CURLUPART_ZONEID) == nil,
      let path = url.part(CURLUPART_PATH)
    else { return nil }
    let port = url.part(CURLUPART_PORT).flatMap { UInt16($0) }.map { Int($0) }
    let origin = "\(scheme)://\(name)" + (port.map { ":\($0)" } ?? "")
    let lowered = text.lowercased()
    guard port != 0, lowered == origin || lowered.hasPrefix(origin + "/") else { return nil }
    let host = name.hasPrefix("[") ? String(name.dropFirst().dropLast()) : name
    self.init(scheme: scheme, host: host, port: port, path: path)
  }
}
