import CSystem
import Glibc

/// Who is at the other end of a connection on loopback, by the kernel's word.
struct LoopbackPeer: Sendable, Hashable {
  /// 127.0.0.1, as a number.
  static let loopback: UInt32 = 0x7f00_0001

  /// The user's number; nil where no process had the connection any more when it was taken.
  let user: UInt32?
  private let address: UInt32

  init(address: UInt32, port: UInt16, serverPort: Int) {
    let owner = sys_tcp_owner(address, port, UInt16(truncatingIfNeeded: serverPort))
    user = owner < 0 ? nil : UInt32(owner)
    self.address = address
  }

  /// Whether it is our own user's from 127.0.0.1 itself; or root's, as which programs run in many containers, and who could read all
  /// that we have anyway.
  func isOwn(rootToo: Bool) -> Bool {
    address == Self.loopback && (user == geteuid() || (rootToo && user == 0))
  }

  /// For the log; nil for who had gone before the kernel could say whose it was, which is nothing to tell.
  var name: String? {
    let source = address == Self.loopback ? "" : " from \(dotted)"
    if let user { return "a connection of user \(user)\(source)" }
    return source.isEmpty ? nil : "a connection\(source)"
  }

  private var dotted: String { (0..<4).map { String(address >> (24 - 8 * $0) & 0xff) }.joined(separator: ".") }
}
