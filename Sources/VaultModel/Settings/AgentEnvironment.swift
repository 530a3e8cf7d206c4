import Glibc

/// The variable that tells a program started by the agent for which profiles it runs: one per line, the outermost first. A program
/// that has it is a child of an agent and starts none.
public let profileChainVariable = "_VAULT_PROFILE_CHAIN"

/// The environment that the agent starts with: an allow-list.
///
/// The agent serves every shell of its user, and any of them may start it. That shell's variables for the loader, the C library and
/// the agent's libraries (`LD_PRELOAD`, `GLIBC_TUNABLES`, `OPENSSL_CONF`, `GIO_EXTRA_MODULES`, …) would run code in the agent for
/// all of them, and its proxies, certificates and AWS settings would apply to all. A deny-list would always miss the newest
/// library, so this is a list of the variables that are needed. `TZ` is not among them: the hours of a guard rule are the machine's,
/// and the C library reads /etc/localtime without it.
public enum AgentEnvironment {
  /// The agent's own search path for programs.
  public static let path = "/usr/local/bin:/usr/bin:/bin"

  private static let kept: Set<String> = {
    var names: Set<String> = [
      "HOME", "USER", "LOGNAME", "LANG", "VAULT_HOME", "VAULT_PASSPHRASE_FILE",
      // The desktop on which a person is asked to agree, where no bus stands at its well-known place.
      "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY",
      // XDG Base Directory Specification: only the folders, not the search lists, from which libraries load code.
      "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR",
      // sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3)
      "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
    ]
    names.formUnion(OwnSetting.all.compactMap(\.variable))
    return names
  }()

  /// Whether the agent keeps a variable. It keeps `PATH`, with ``path`` as its value.
  public static func keeps(_ name: String, value: String) -> Bool {
    // Other transports start programs, or lead to other machines.
    if name == "DBUS_SESSION_BUS_ADDRESS" { return value.split(separator: ";").allSatisfy { $0.hasPrefix("unix:") } }
    // The agent has another working directory; its client passes an absolute path.
    if name == "VAULT_PASSPHRASE_FILE" { return value.hasPrefix("/") }
    return kept.contains(name) || name.hasPrefix("LC_")
  }

  /// The part of an environment that the agent starts with.
  ///
  /// - Parameter environment: as in `environ(7)`; the result borrows its strings.
  /// - Returns: the entries, ending with nil, and whether they differ from the given ones.
  public static func cleaned(_ environment: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?)
    -> (entries: [UnsafeMutablePointer<CChar>?], isChanged: Bool)
  {
    var entries: [UnsafeMutablePointer<CChar>?] = []
    var isChanged = false
    var hasPath = false
    var next = environment
    while let entry = next?.pointee {
      next = next?.successor()
      let text = String(cString: entry)
      let equals = text.firstIndex(of: "=") ?? text.endIndex
      let name = String(text[..<equals])
      let value = String(text[equals...].dropFirst())
      if name == "PATH", value == path, !hasPath {
        hasPath = true
      } else if !keeps(name, value: value) {
        isChanged = true
        continue
      }
      entries.append(entry)
    }
    if !hasPath {
      isChanged = true
      entries.append(strdup("PATH=\(path)"))
    }
    return (entries + [nil], isChanged)
  }
}
