import Glibc

/// An IP address as a host in a URL.
struct HostAddress: Hashable {
  /// 4 or 16 bytes.
  private let bytes: [UInt8]

  /// - Returns: nil for a name, and for a form of address that programs read differently (`127.1`, `0x7f000001`).
  init?(_ text: String) {
    var four = in_addr()
    var six = in6_addr()
    if inet_pton(AF_INET, text, &four) == 1 {
      bytes = withUnsafeBytes(of: &four) { Array($0) }
    } else if inet_pton(AF_INET6, text, &six) == 1 {
      bytes = withUnsafeBytes(of: &six) { Array($0) }
    } else {
      return nil
    }
  }

  /// 127.0.0.0/8 and ::1.
  var isLoopback: Bool { bytes.count == 4 ? bytes[0] == 127 : bytes == Array(repeating: 0, count: 15) + [1] }
}
