import Glibc
import VaultModel

/// Finds the session bus.
public enum SessionBus {
  /// The address of the login's bus: `DBUS_SESSION_BUS_ADDRESS`, else the socket `bus` in the runtime directory, where systemd puts it
  /// (sd_bus_default_user(3)). A bus is never started: one without a keyring on it would be of no use.
  ///
  /// - Parameter environment: looks up a variable; an empty value counts as none.
  /// - Returns: nil where there is none.
  public static func address(
    environment: (String) -> String? = { name in getenv(name).map { String(cString: $0) } }
  ) -> String? {
    if let address = environment("DBUS_SESSION_BUS_ADDRESS"), !address.isEmpty { return address }
    guard let directory = RuntimeDirectory.path(environment: environment) else { return nil }
    let path = directory + "/bus"
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK, status.st_uid == geteuid() else { return nil }
    return "unix:path=" + escaped(path)
  }

  /// A value in an address: all but a few characters as `%` and two digits (D-Bus Specification, "Server Addresses").
  private static func escaped(_ value: String) -> String {
    var result = ""
    for byte in value.utf8 {
      switch byte {
      case 0x2D...0x39, 0x41...0x5A, 0x5C, 0x5F, 0x61...0x7A: result.unicodeScalars.append(Unicode.Scalar(byte))
      default: result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }
    return result
  }
}
