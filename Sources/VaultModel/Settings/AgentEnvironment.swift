import Glibc

/// The variable that tells a program which the agent runs for which profiles it runs, the outermost first, a line each. Whoever has it is
/// a child of an agent, and starts none.
public let profileChainVariable = "_VAULT_PROFILE_CHAIN"

/// The environment that the agent starts from: an allow-list.
///
/// The agent serves every shell of its user, and one of them happens to start it. What that shell has for the loader, the C library and
/// the agent's libraries (`LD_PRELOAD`, `GLIBC_TUNABLES`, `OPENSSL_CONF`, `GIO_EXTRA_MODULES`, …) would run code in the agent of all of them, and
/// its proxies, certificates and AWS settings would be everybody's. A list of what is bad would be one library behind; so this is one of
/// what is needed.
public enum AgentEnvironment {
  /// Where the agent itself looks for programs.
  public static let path = "/usr/local/bin:/usr/bin:/bin"

  private static let kept: Set<String> = {
    var names: Set<String> = [
      "HOME", "USER", "LOGNAME", "LANG", "TZ", "VAULT_HOME", "VAULT_PASSPHRASE_FILE",
      // XDG Base Directory Specification; the folders alone, and not the lists of them, from which libraries load things.
      "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR",
      // sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3)
      "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
    ]
    names.formUnion(OwnSetting.all.compactMap(\.variable))
    return names
  }()

  /// Whether a variable comes with the agent. `PATH` does, with ``path`` for its value.
  public static func keeps(_ name: String, value: String) -> Bool {
    // A zone can be the name of any file (tzset(3)).
    if name == "TZ" { return !value.hasPrefix("/") && !value.hasPrefix(":") }
    // The agent stands in another folder; its client names the file whole.
    if name == "VAULT_PASSPHRASE_FILE" { return value.hasPrefix("/") }
    return kept.contains(name) || name.hasPrefix("LC_")
  }

  /// The part of an environment that the agent starts from.
  ///
  /// - Parameter environment: as of `environ(7)`; its strings are lent to the result.
  /// - Returns: the entries, ending with nil, and whether they are others than were given.
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
