import Glibc

/// The paths of one vault.
///
/// `VAULT_HOME` puts everything in one folder; otherwise the XDG Base Directory Specification applies.
public struct VaultPaths: Sendable, Hashable {
  public var database: String
  public var dataDirectory: String
  public var stateDirectory: String
  public var runtimeDirectory: String
  /// In the order in which they are read; later files win.
  public var settingsFiles: [String]

  /// The machine's settings, which only root can write.
  public static let machineSettings = "/etc/vault/config"
  /// The files with guard rules: the machine's too, whatever folder `VAULT_HOME` names, since the user's environment must not
  /// decide whether they hold.
  public var guardFiles: [String] {
    settingsFiles.contains(Self.machineSettings) ? settingsFiles : [Self.machineSettings] + settingsFiles
  }

  public var socket: String { runtimeDirectory + "/agent.sock" }
  /// Held by the agent for its whole life, before it opens the database for writing.
  public var agentLock: String { dataDirectory + "/agent.lock" }
  /// Held by the client while it starts an agent.
  public var startLock: String { runtimeDirectory + "/start.lock" }
  public var log: String { stateDirectory + "/agent.log" }

  /// Identifies the vault: its data folder, by device and inode, since one folder can have many names. Empty if the folder does not
  /// exist.
  public var identity: String {
    var status = stat()
    guard stat(dataDirectory, &status) == 0 else { return "" }
    return "\(status.st_dev):\(status.st_ino)"
  }

  /// - Parameter environment: looks up a variable; an empty value counts as none (XDG Base Directory Specification).
  /// - Returns: nil if neither `VAULT_HOME` nor the required ones of `HOME` and `XDG_…` are absolute paths.
  public init?(environment: (String) -> String?) {
    func path(_ name: String) -> String? {
      guard let value = environment(name), value.hasPrefix("/") else { return nil }
      return value
    }
    if let value = environment("VAULT_HOME"), !value.isEmpty {
      guard value.hasPrefix("/") else { return nil }
      var home = value
      while home.count > 1, home.hasSuffix("/") { home.removeLast() }
      dataDirectory = home
      stateDirectory = home
      runtimeDirectory = home
      settingsFiles = [home + "/config"]
    } else {
      let home = path("HOME")
      guard let data = path("XDG_DATA_HOME") ?? home.map({ $0 + "/.local/share" }),
        let state = path("XDG_STATE_HOME") ?? home.map({ $0 + "/.local/state" }),
        let config = path("XDG_CONFIG_HOME") ?? home.map({ $0 + "/.config" })
      else { return nil }
      dataDirectory = data + "/vault"
      stateDirectory = state + "/vault"
      // Without a runtime directory, use the data folder, which has mode 0700 and belongs to the user. Never /tmp.
      runtimeDirectory = (RuntimeDirectory.path(environment: environment) ?? data) + "/vault"
      settingsFiles = [Self.machineSettings, config + "/vault/config"]
    }
    database = dataDirectory + "/vault.db"
  }
}
