import AWSConfig
import VaultKeys
import VaultModel
import VaultStore

/// The agent's settings: the files `/etc/vault/config` and `~/.config/vault/config`, in the syntax of the AWS config file, and the
/// environment.
struct AgentSettings: Sendable {
  /// The key store for a new master key.
  let keyStore: KeyStoreKind
  /// Whether the agent ends with the last program that got credentials from it: for jobs that must leave nothing running.
  let endsWithPrograms: Bool
  /// The destinations of live copies of the audit log.
  let exporters: [ExporterTarget]
  /// Whether cached sessions are handed out while no audit row can be written.
  let failureRule: AuditFailureRule
  /// When the vault locks itself.
  let lockRule: LockRule
  let lockEvents: LockEvents
  /// The address of the login manager's bus.
  let loginBus: String
  /// The values that are logged when they change: each setting's name, its value, and its default.
  let logged: [(name: String, value: String, defaultValue: String)]

  /// - Throws: `ConfigError` for a file that cannot be parsed; configuration, for an invalid value.
  init(files: [String], environment: [String: String]) throws {
    let values = try SharedConfig.ownSettings(of: files)
    func value(_ setting: OwnSetting, fromVariable: Bool = true) throws -> String {
      let variable = fromVariable ? setting.variable.flatMap { environment[$0] }.flatMap { $0.isEmpty ? nil : $0 } : nil
      guard let value = variable ?? values[setting.name]?.text else { return setting.defaultValue }
      guard setting.isValid(value) else {
        throw Failure(
          "\(variable == nil ? setting.name : setting.variable ?? setting.name): invalid value \"\(value)\"",
          hint: "use \(setting.values)",
          exitStatus: .configuration)
      }
      return value
    }
    keyStore = try Self.keyStore(value(.keyStore))
    endsWithPrograms = try value(.agentLife) == "programs"
    let journald = try value(.auditJournald)
    let syslog = try value(.auditSyslog)
    let failure = try value(.auditFailure)
    failureRule = AuditFailureRule(rawValue: failure) ?? .refuse
    exporters = [JournalAddress(journald).map { .journald($0) }, SyslogAddress(syslog).map { .syslog($0) }].compactMap { $0 }
    let lockAfter = try value(.lockAfter)
    let lockOn = try value(.lockOn)
    lockRule = LockRule(lockAfter) ?? .never
    lockEvents = LockEvents(lockOn) ?? .none
    loginBus = try value(.loginBus)
    // A job's environment for one agent is not a change of the settings. A change of the log's destination is one, whatever its
    // source.
    logged =
      [
        (OwnSetting.keyStore, try value(.keyStore, fromVariable: false)),
        (.agentLife, try value(.agentLife, fromVariable: false)), (.auditJournald, journald), (.auditSyslog, syslog),
        (.auditFailure, failure), (.lockAfter, lockAfter), (.lockOn, lockOn),
      ].map { ($0.0.name, $0.1, $0.0.defaultValue) } + (try Self.trust(of: files).logged)
  }

  /// - Throws: configuration, for an unknown key store.
  static func keyStore(_ name: String) throws(Failure) -> KeyStoreKind {
    guard let kind = KeyStoreKind(rawValue: name) else {
      throw Failure(
        "unknown key store \"\(name)\"",
        hint: "set VAULT_KEYSTORE to one of " + KeyStoreKind.allCases.map(\.rawValue).joined(separator: ", "),
        exitStatus: .configuration)
    }
    return kind
  }
}
