import CSystem
import Glibc

/// The peer of a loopback connection, as the kernel reports it.
struct LoopbackPeer: Sendable, Hashable {
  /// 127.0.0.1, as a number.
  static let loopback: UInt32 = 0x7f00_0001

  /// The user's ID; nil if no process had the connection any more when it was accepted.
  let user: UInt32?
  private let address: UInt32

  init(address: UInt32, port: UInt16, serverPort: Int) {
    let owner = sys_tcp_owner(address, port, UInt16(truncatingIfNeeded: serverPort), nil)
    user = owner < 0 ? nil : UInt32(owner)
    self.address = address
  }

  /// Whether it is the agent's own user from 127.0.0.1 itself; or root, under which programs run in many containers, and which
  /// could read all of the user's data anyway.
  func isOwn(rootToo: Bool) -> Bool {
    address == Self.loopback && (user == geteuid() || (rootToo && user == 0))
  }

  /// For the log; nil if the peer had gone before the kernel could name its user, which is nothing to report.
  var name: String? {
    let source = address == Self.loopback ? "" : " from \(dotted)"
    if let user { return "a connection of user \(user)\(source)" }
    return source.isEmpty ? nil : "a connection\(source)"
  }

  private var dotted: String { (0..<4).map { String(address >> (24 - 8 * $0) & 0xff) }.joined(separator: ".") }
}
