import CSystem
import Glibc
import VaultBytes
import VaultModel

/// Finds the session bus.
public enum SessionBus {
  /// The address of the login's bus: `DBUS_SESSION_BUS_ADDRESS`, or else the socket `bus` in the runtime directory, where systemd
  /// puts it (sd_bus_default_user(3)). A bus is never started: without a keyring on it, it would be useless.
  ///
  /// - Parameter environment: looks up a variable; an empty value counts as unset.
  /// - Returns: nil if there is none.
  public static func address(
    environment: (String) -> String? = { name in getenv(name).map { String(cString: $0) } }
  ) -> String? {
    if let address = environment("DBUS_SESSION_BUS_ADDRESS"), !address.isEmpty { return address }
    return inRuntimeDirectory(environment: environment)
  }

  /// The address of the login's bus by the socket alone.
  ///
  /// - Parameters:
  ///   - environment: looks up `XDG_RUNTIME_DIR`; nothing, for the place that no variable decides.
  ///   - root: the folder that holds one runtime directory per user.
  /// - Returns: nil if there is none.
  public static func inRuntimeDirectory(
    environment: (String) -> String? = { name in getenv(name).map { String(cString: $0) } }, root: String = "/run/user"
  ) -> String? {
    guard let directory = RuntimeDirectory.path(environment: environment, root: root) else { return nil }
    let path = directory + "/bus"
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK, status.st_uid == geteuid() else { return nil }
    return "unix:path=" + escaped(path)
  }

  /// What is wrong with a given address: nil for a Unix socket at which a process of this user listens. The other D-Bus transports
  /// lead to other machines, or start programs.
  static func fault(of address: String) -> String? {
    let entries = address.split(separator: ";")
    guard !entries.isEmpty, address.utf8.count <= 1_024 else { return "is not a D-Bus address" }
    var silence: String?
    for entry in entries {
      guard entry.hasPrefix("unix:") else { return "is not the address of a Unix socket" }
      let values = entry.dropFirst(5).split(separator: ",").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
      guard let place = values.first(where: { $0.count == 2 && ["path", "abstract"].contains($0[0]) }),
        let name = unescaped(place[1])
      else { return "names no Unix socket" }
      // The first that answers is used.
      if sys_unix_is_ours(place[0] == "path" ? name : "@" + name) == 0 { return nil }
      if errno == EPERM { return "belongs to another user" }
      silence = "does not answer (\(String(cString: strerror(errno))))"
    }
    return silence
  }

  private static func unescaped(_ value: String) -> String? {
    var bytes: [UInt8] = []
    var rest = Array(value.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == 0x25 else {
        bytes.append(byte)
        continue
      }
      guard let code = Hexadecimal.byte(rest.first, rest.dropFirst().first) else { return nil }
      bytes.append(code)
      rest = rest.dropFirst(2)
    }
    return bytes.isEmpty || bytes.contains(0) ? nil : String(decoding: bytes, as: UTF8.self)
  }

  /// Escapes a value in an address: all but a few characters become `%` and two digits (D-Bus Specification, "Server Addresses").
  private static func escaped(_ value: String) -> String {
    var result = ""
    for byte in value.utf8 {
      switch byte {
      case 0x2D...0x39, 0x41...0x5A, 0x5C, 0x5F, 0x61...0x7A: result.unicodeScalars.append(Unicode.Scalar(byte))
      default: result += "%" + hex([byte])
      }
    }
    return result
  }
}
