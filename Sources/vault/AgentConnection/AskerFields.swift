import CSystem
import Glibc
import VaultModel
import VaultWire

/// The fields by which every request describes the requester: which vault is meant, and the variables of the user's session on this
/// machine.
///
/// The agent serves all shells of its user, and has no desktop, bus or `PATH` of its own that would suit each of them.
enum AskerFields {
  private static let names = ["PATH", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"]
  private static let longest = 8 * 1_024

  static func add(to writer: borrowing MessageWriter, _ paths: VaultPaths) {
    writer.add(.vault, "\(paths.identity)\t\(paths.dataDirectory)")
    for name in names {
      guard let value = variable(name), !value.isEmpty, value.utf8.count <= longest else { continue }
      writer.add(.session, "\(name)=\(value)")
    }
    if let chain = variable(profileChainVariable), chain.utf8.count <= longest { writer.add(.chain, chain) }
  }
}
