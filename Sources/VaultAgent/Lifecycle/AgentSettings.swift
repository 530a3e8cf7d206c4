import AWSConfig
import VaultKeys
import VaultModel
import VaultStore

/// The agent's settings: the files `/etc/vault/config` and `~/.config/vault/config`, in the grammar of the AWS config file, and the environment.
struct AgentSettings: Sendable {
  /// Where a new master key is kept.
  let keyStore: KeyStoreKind
  /// Whether the agent ends with the last program that it gave credentials: for jobs that are to leave nothing running.
  let endsWithPrograms: Bool
  /// Where live copies of the audit log go.
  let exporters: [ExporterTarget]
  /// Whether sessions in hand are handed out while no audit row can be written.
  let failureRule: AuditFailureRule
  /// When the key is forgotten by itself.
  let lockRule: LockRule
  let lockEvents: LockEvents
  /// The address of the bus on which the login manager is.
  let loginBus: String
  /// What is logged of them when it changes: each setting's name, its value, and what it is where nobody set one.
  let logged: [(name: String, value: String, standard: String)]

  /// - Throws: `ConfigError` for a file that cannot be parsed; configuration, for a value that makes no sense.
  init(files: [String], environment: [String: String]) throws {
    let values = try SharedConfig.ownSettings(of: files)
    func value(_ setting: OwnSetting, fromVariable: Bool = true) throws -> String {
      let variable = fromVariable ? setting.variable.flatMap { environment[$0] }.flatMap { $0.isEmpty ? nil : $0 } : nil
      guard let value = variable ?? values[setting.name]?.text else { return setting.standard }
      guard setting.isValid(value) else {
        throw Failure(
          "\(variable == nil ? setting.name : setting.variable ?? setting.name): no such value \"\(value)\"",
          hint: "it is \(setting.values)",
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
    // What a job's environment says for one agent is no change of the settings; where the log goes is one, whoever says it.
    logged =
      [
        (OwnSetting.keyStore, try value(.keyStore, fromVariable: false)),
        (.agentLife, try value(.agentLife, fromVariable: false)), (.auditJournald, journald), (.auditSyslog, syslog),
        (.auditFailure, failure), (.lockAfter, lockAfter), (.lockOn, lockOn),
      ].map { ($0.0.name, $0.1, $0.0.standard) } + (try Self.trust(of: files).logged)
  }

  /// - Throws: configuration, for a name that no key store has.
  static func keyStore(_ name: String) throws(Failure) -> KeyStoreKind {
    guard let kind = KeyStoreKind(rawValue: name) else {
      throw Failure(
        "no key store \"\(name)\"",
        hint: "VAULT_KEYSTORE is one of " + KeyStoreKind.allCases.map(\.rawValue).joined(separator: ", "),
        exitStatus: .configuration)
    }
    return kind
  }
}
