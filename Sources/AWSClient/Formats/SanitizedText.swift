import VaultModel
import VaultSecrets

extension SecretBytes {
  /// Printable ASCII without blanks: safe in a header and in an environment.
  var isPlain: Bool { withBytes { $0.allSatisfy { (33...126).contains($0) } } }

  /// Self, if it is plain and has a plausible length.
  func plain(_ length: ClosedRange<Int>) -> SecretBytes? { length.contains(count) && isPlain ? self : nil }
}

extension String {
  /// Self, if it is printable ASCII without blanks and has a plausible length.
  func plain(_ length: ClosedRange<Int>) -> String? {
    length.contains(utf8.count) && utf8.allSatisfy { (33...126).contains($0) } ? self : nil
  }

  /// Self, if it is a URL that is safe to open in a browser: https, or http to this machine; no user information, no control
  /// characters.
  var browserURL: String? {
    let head = prefix { $0 != "?" && $0 != "#" }
    guard plain(8...2_048) != nil, let address = WebAddress(String(head)) else { return nil }
    return address.scheme == "https" || address.isLoopback ? self : nil
  }
}

extension Timestamp {
  /// A time from outside, in seconds since 1970.
  ///
  /// - Returns: nil before 1970 or after the year 9999.
  init?(foreignSeconds seconds: Int64?) {
    guard let seconds, (0...253_402_300_799).contains(seconds) else { return nil }
    self.init(seconds: seconds)
  }
}
