import VaultModel
import VaultSecrets

extension SecretBytes {
  /// Printable ASCII without blanks: what can stand in a header and in an environment.
  var isPlain: Bool { withBytes { $0.allSatisfy { (33...126).contains($0) } } }

  /// This, where it is plain and of a length that can be believed.
  func plain(_ length: ClosedRange<Int>) -> SecretBytes? { length.contains(count) && isPlain ? self : nil }
}

extension String {
  /// This, where it is printable ASCII without blanks and of a length that can be believed.
  func plain(_ length: ClosedRange<Int>) -> String? {
    length.contains(utf8.count) && utf8.allSatisfy { (33...126).contains($0) } ? self : nil
  }

  /// This, where it is a URL that a browser may be sent to: https, or http to this machine; no user information, no control characters.
  var browserURL: String? {
    let head = prefix { $0 != "?" && $0 != "#" }
    guard plain(8...2_048) != nil, let address = WebAddress(String(head)) else { return nil }
    return address.scheme == "https" || address.isLoopback ? self : nil
  }
}

extension Timestamp {
  /// A moment from outside, in seconds since 1970.
  ///
  /// - Returns: nil before 1970 or after the year 9999.
  init?(foreignSeconds seconds: Int64?) {
    guard let seconds, (0...253_402_300_799).contains(seconds) else { return nil }
    self.init(seconds: seconds)
  }
}
