/// A setting of the vault's own: what `vault config` changes and the agent goes by.
public struct OwnSetting: Sendable {
  public let name: String
  /// What it is where nobody set it.
  public let standard: String
  /// What it may be, in words.
  public let values: String
  public let help: String
  /// Whether a running agent goes by a new value at once, and not only the next one.
  public let isLive: Bool
  private let check: @Sendable (String) -> Bool

  /// The variable that counts before the files.
  public var variable: String { "VAULT_" + name.uppercased() }

  public func isValid(_ value: String) -> Bool { check(value) }

  private init(
    _ name: String, standard: String, values: String, help: String, isLive: Bool = false,
    check: @escaping @Sendable (String) -> Bool
  ) {
    self.name = name
    self.standard = standard
    self.values = values
    self.help = help
    self.isLive = isLive
    self.check = check
  }

  private static func choice(_ name: String, _ values: [String], _ help: String, isLive: Bool = false) -> OwnSetting {
    OwnSetting(
      name, standard: values[0], values: "one of " + values.joined(separator: ", "), help: help, isLive: isLive
    ) { values.contains($0) }
  }

  public static let keyStore = choice(
    "keystore", ["secret-service", "passphrase", "ephemeral"], "where a new vault's master key is kept")
  public static let agentLife = choice(
    "agent_life", ["login", "programs"], "whether the agent ends with the last program it served")
  public static let auditJournald = OwnSetting(
    "audit_journald", standard: "off", values: "on, off, or the path of a socket of journald's",
    help: "whether the journal gets every audit row", isLive: true
  ) { $0 == "off" || JournalAddress($0) != nil }
  public static let auditSyslog = OwnSetting(
    "audit_syslog", standard: "off", values: "off, unix:/dev/log, udp://HOST[:514] or tcp://HOST[:601]",
    help: "a syslog receiver that gets every audit row (RFC 5424)", isLive: true
  ) { $0 == "off" || SyslogAddress($0) != nil }
  public static let auditFailure = choice(
    "audit_failure", ["refuse", "deliver"],
    "whether sessions in hand are handed out while the disk takes no audit row; the rows are written later", isLive: true)

  public static let auditShipTo = OwnSetting(
    "audit_ship_to", standard: "", values: "postgresql://USER@HOST/DATABASE; its password stands in ~/.pgpass, never here",
    help: "the team's PostgreSQL, for `vault audit ship`", isLive: true
  ) { TeamAddress.fault(in: $0) == nil }

  /// In the order in which they are shown.
  public static let all = [keyStore, agentLife, auditJournald, auditSyslog, auditFailure, auditShipTo]
}
